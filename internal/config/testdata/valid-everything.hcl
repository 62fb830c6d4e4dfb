# Every attribute is written, none has its default value.

island      = true
island_mode = "refuse"

gateway {
  shutdown_grace = "2m"
  state_dir      = "/var/lib/ftpgw/appliance"
  sandbox        = "required"
  forwarding     = "refuse"
  control        = "/run/ftpgw/control.sock"
}

zone "bay-7" {
  on_failure = "continue"
  listen          = "[::1]:2121"
  passive_ports   = "50000-50099"
  active_ports    = "1024-4095"
  interface       = "eth1"
  passive_address = "192.0.2.10"
  idle_timeout    = "10m"
  login_timeout   = "30s"
  data_timeout    = "10s"
  stall_timeout   = "2m"
  settle          = "100ms"
  conduit_down    = "refuse"
  greeting        = "Station 12"
  tls             = "required"
  tls_mode        = "implicit"
  certificate     = "gateway.pem"
  private_key     = "gateway.key"
  client_ca       = "devices-ca.pem"
  tls_min_version = "1.3"
  data_tls        = "required"
  session_reuse   = "required"
  close_notify    = "optional"
  ascii           = "convert"
  profile         = "old"

  limits {
    connections                = 200
    connections_per_address    = 10
    connections_per_second     = 1
    startups                   = "20:40:60"
    startups_per_address       = 5
    sessions_per_device        = 4
    login_attempts             = 3
    login_attempts_per_address = 9
    login_delay                = "1s"
    lockout                    = "1h"
    commands_per_second        = 20
    commands_before_login      = 30
    bad_commands               = 11
    line_length                = 1024
    passive_ports_per_address  = 8
    minimum_rate               = "100B"
  }
}

limits {
  connections     = 500
  transfers       = 99
  login_checks = 3
  path_length     = 1000
  path_depth      = 16
  listing_entries = 10000
  memory          = "256MiB"
}

zone "bay-8" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099" # the same ports on another address
}

conduit "control-centre" {
  address         = "sftp.control.example:2022"
  user            = "ss7"
  identity        = "keys/../id_ed25519"
  identity_agent  = "/run/ftpgw/agent.sock"
  host_key        = "ssh-ed25519 AAAA"
  root            = "/ingest/ss7/"
  source_address  = "192.0.2.10"
  interface       = "eth0"
  connections     = 4
  dial_timeout    = "5s"
  request_timeout = "1m"
  keepalive       = "30s"
}

conduit "archive" {
  address        = "[2001:db8::1]:22"
  user           = "ss7"
  identity_agent = "agent.sock"
  known_hosts    = "known_hosts"
  root           = "/"
}

audit {
  dir                 = "/var/lib/ftpgw/audit"
  signing_key         = "checkpoint.key"
  checkpoint_interval = "10m"
  segment_size        = "256MiB"
  segment_age         = "1h"
  retention_days      = 365
  space_warning       = "2GiB"
  sink "siem" {
    type      = "syslog"
    address   = "siem.example:514"
    transport = "tcp"
    format    = "cef"
  }
  sink "journal" {
    type = "journald"
  }
}

profile "old" {
  ascii           = "verbatim"
  mkd_existing    = 257
  make_parents    = true
  listing         = "dos"
  single_line     = true
  feat            = false
  name_case       = "lower"
  backslashes     = true
  superfluous     = 200
  stat_lists      = true
  passive_address = "192.0.2.11"
}

device "relay-12" {
  user          = "relay"
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32", "2001:db8:7::/64"]
  home          = "/bay-7//relay-12/"
  labels        = { vendor = "SEL", bay = 7 }
  certificate_names = ["relay-12.station.example"]
  ascii         = "refuse"
  profile       = "old"
  quirks {
    mkd_existing = 521
    feat         = true
  }
  limit {
    max_file       = "64MiB"
    files_per_hour = 60
    bytes_per_day  = "2GiB"
    bandwidth      = "8Mbit/s"
    concurrent     = 2
  }
}

device "relay-13" { # the same user at another address
  user          = "relay"
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.13/32"]
}

group "relays" { devices = ["relay-*"] }

rule "no-firmware" {
  reason  = "firmware never leaves the zone"
  devices = ["relay-1[23]"]
  deny    = ["upload", "append", "rename"]
  paths   = ["**/*.bin"]
}

rule "records" {
  reason   = "PRC-002: disturbance records leave the station"
  zones    = ["bay-7"]
  from     = ["10.7.0.0/24"]
  allow    = ["upload", "append", "download", "list", "delete", "rename", "mkdir", "rmdir", "modify"]
  paths    = ["/events/**", "/"]
  min_size = 1
  max_size = "64MiB"

  groups       = ["rel*"]
  tls          = true
  certificates = ["*.station.example"]
  except_paths = ["/events/private/**"]
  names        = ["*.CFG"]
  ignore_case  = true
  between      = ["22:00-04:00", "12:00-13:30"]
  weekdays     = ["Sat", "sunday"]
  not_before   = "2026-03-01 06:00"
  not_after    = "2026-03-31T18:00:00+02:00"
  timezone     = "Europe/Berlin"
  on_close     = "abort"
  when         = (device.labels.vendor == "SEL" || contains(device.groups, "relays")) && file.size < mib(64)
  deliver {
    conduit     = "control-centre"
    acknowledge = "delivered"
    verify      = "readback"
    require     = ["fsync", "atomic"]
  }
  incomplete = "keep"
  expect {
    min_size  = "1kB"
    max_size  = "8MiB"
    companion = "{name}.size"
    name_size = ".*_(?P<size>[0-9]+)[.]dat"
  }
}

rule "filed" {
  reason = "a record has a place of its own"
  allow  = ["upload", "append"]
  types  = ["comtrade", "text", "zip"]
  deliver {
    conduit = "archive"
    path    = "/records/${device.name}/${lower(file.name)}"
  }
  content {
    types         = ["comtrade", "text"]
    sha256        = "allowed.sha256"
    max_expansion = 50
    max_expanded  = "64MiB"
  }
  limit {
    bandwidth = "500 kB/s"
    shared    = true
  }
}

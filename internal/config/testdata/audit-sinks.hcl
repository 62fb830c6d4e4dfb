# Sinks that lead nowhere.

zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/ss7"
}

audit {
  dir = "audit"
  sink "a" {
    type      = "telegraph"
    transport = "pigeon"
    format    = "xml"
  }
  sink "b" {
    type = "syslog"
  }
  sink "b" {
    type = "stdout"
  }
  sink "c" {
    type    = "syslog"
    address = "nowhere"
    ca      = "id_ed25519"
  }
  sink "d" {
    type      = "syslog"
    address   = "siem.example:514"
    transport = "udp"
    ca        = "missing.pem"
  }
  sink "e" {
    type    = "stdout"
    address = "siem.example:514"
  }
  sink "f" {
    type = "stdout"
  }
  sink "g/h" {
    type = "journald"
  }
}

device "relay-12" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

rule "records" {
  reason  = "PRC-002: disturbance records leave the station"
  devices = ["relay-*"]
  allow   = ["upload", "list"]
  paths   = ["/events/**"]
}

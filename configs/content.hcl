# What is in a file decides, whatever its name says.
#
# Relays send COMTRADE records, some of them packed, and one fetches firmware that comes from the maker's laptop through a station
# computer. Names prove nothing: a program called fault.cfg is refused, a record that lacks a byte is refused, an archive that would
# fill the disk of the archive server is refused, and so is an image that was not released. docs/policy.md explains each of the blocks.
#
# Before you start: the same four commands as in substation.hcl, and the list of released images:
#   sha256sum *.bin > allowed.sha256

zone "bay-7" {
  listen        = "10.7.0.1:21"
  passive_ports = "50000-50099"
}

conduit "control-centre" {
  address     = "sftp.control.example:22"
  user        = "station-12"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/station-12"
}

audit {
  dir           = "/var/lib/ftpgw/audit"
  trace_denials = true # the record of a denial tells of each rule why it did not allow it
}

device "relay-12" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.7.0.12/32"]
}

device "station-pc" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.7.0.90/32"]
}

# A condition: where the file is no program, the rules behind it are asked.
rule "no-programs" {
  reason  = "CIP-007: nothing that runs leaves a relay, whatever it is called"
  devices = ["relay-*"]
  deny    = ["upload", "append"]
  types   = ["elf", "pe", "mach-o", "script"]
}

# Demands: the rule decides, and what does not meet them is refused in its name.
rule "packed-records" {
  reason  = "PRC-002: records may come packed, as far as the archive server can unpack them"
  devices = ["relay-*"]
  allow   = ["upload"]
  paths   = ["/events/**"]
  names   = ["*.zip", "*.tar.gz"]

  ignore_case = true
  content {
    types         = ["zip", "gzip"]
    max_expansion = 100
    max_expanded  = "256MiB"
  }
}

rule "records" {
  reason  = "PRC-002: COMTRADE records, and nothing that is only named like one"
  devices = ["relay-*"]
  allow   = ["upload", "list"]
  paths   = ["/events/**"]
  content {
    types = ["comtrade"] # .cfg, .dat and .cff
  }
}

rule "released-firmware" {
  reason  = "CIP-010: only images that were released are handed on"
  devices = ["station-pc"]
  allow   = ["upload"]
  paths   = ["/firmware/*.bin"]
  content {
    sha256 = "allowed.sha256"
  }
}

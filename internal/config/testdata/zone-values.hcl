# Durations that make no sense, and other values of a zone.

zone "z1" {
  listen        = "10.0.0.1:21"
  passive_ports = "50000-50099"
  idle_timeout  = "0s"
  login_timeout = "-5s"
  data_timeout  = 15
  stall_timeout = "1000h"
  settle        = "automatic"
  conduit_down  = "reject"
  greeting      = ""
}

zone "z2" {
  listen        = "10.0.0.2:21"
  passive_ports = "50000-50099"
  idle_timeout    = "soon"
  greeting        = "two\nlines"
  passive_address = "2001:db8::1"
}

zone "z3" {
  listen        = "10.0.0.3:21"
  passive_ports = "50000-50099"
  passive_address = "0.0.0.0"
  on_failure      = "ignore"
}

conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/ss7"
}

audit { dir = "audit" }

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

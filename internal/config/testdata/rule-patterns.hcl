# Patterns that are none, and patterns that can match nothing.

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

audit { dir = "audit" }

device "relay-12" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

rule "r1" {
  reason   = "because"
  allow    = ["upload"]
  paths    = ["/events/[a-"]
}

rule "r2" {
  reason   = "because"
  allow    = ["upload"]
  paths    = ["/events**"]
}

rule "r3" {
  reason   = "because"
  allow    = ["upload"]
  paths    = ["events/*"]
}

rule "r4" {
  reason   = "because"
  allow    = ["upload"]
  paths    = ["/events/", "/a//b", "/a/../b", "/./a"]
}

rule "r5" {
  reason   = "because"
  allow    = ["upload"]
  paths    = [""]
}

rule "r6" {
  reason   = "because"
  allow    = ["upload"]
  devices  = ["realy-12"]
}

rule "r7" {
  reason   = "because"
  allow    = ["upload"]
  devices  = ["meter-*"]
}

rule "r8" {
  reason   = "because"
  allow    = ["upload"]
  zones    = ["bay-8"]
}

rule "r9" {
  reason   = "because"
  allow    = ["upload"]
  devices  = ["relay-*", "relay-[0-9"]
}

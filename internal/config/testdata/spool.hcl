# What can be wrong with a spool and with rules that use it.

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

spool {
  dir           = "spool"
  max_size      = "-3"
  keep          = "soon"
  workers       = 0
  age_recipient = "AGE-SECRET-KEY-1"
}

device "relay-12" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

rule "r0" {
  reason   = "because"
  allow    = ["upload"]
  deliver {
    offline     = "spool"
    set_timeout = "1h"
  }
}

rule "r1" {
  reason   = "because"
  allow    = ["upload"]
  deliver {
    acknowledge = "spooled"
    offline     = "nothing"
    set         = "comtrad"
    set_overdue = "drop"
  }
}

rule "r4" {
  reason   = "because"
  allow    = ["upload"]
  deliver {
    acknowledge = "spooled"
    set_timeout = "1h"
  }
}

rule "r2" {
  reason   = "because"
  allow    = ["upload"]
  deliver { acknowledge = "deliverd" }
}

rule "r3" {
  reason   = "because"
  allow    = ["upload"]
  deliver { acknowledge = "later" }
}

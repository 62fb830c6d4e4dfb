# Deliveries with several conduits.

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

conduit "archive" {
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
}

rule "r2" {
  reason   = "because"
  allow    = ["upload"]
  deliver { conduit = "contol-centre" }
}

rule "r3" {
  reason   = "because"
  allow    = ["upload"]
  deliver { conduit = "mars" }
}

rule "r4" {
  reason   = "because"
  allow    = ["upload"]
  deliver { acknowledge = "delivered" }
}

rule "r5" {
  reason   = "because"
  deny     = ["upload"]
}

rule "r6" {
  reason   = "because"
  deny     = ["upload"]
  deliver { conduit = "archive" }
}

rule "r7" {
  reason = "because"
  allow  = ["upload"]
  deliver {
    conduit = "archive"
  }
  deliver {
    conduit = "archive"
  }
}

rule "r8" {
  reason = "because"
  allow  = ["upload"]
  deliver {
    conduit = "archive"
    verify  = "read-back"
    require = ["fsink", "atomic"]
  }
}

rule "r9" {
  reason = "because"
  allow  = ["upload"]
  deliver {
    conduit = "archive"
    verify  = 7
    require = "fsync"
  }
}

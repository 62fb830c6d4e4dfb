# What rules expect of files, and what they do with those that are not whole.

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
  reason = "because"
  allow  = ["upload"]
  incomplete = "delete"
  expect {
    min_size  = "2kB"
    max_size  = "1kB"
    companion = "{nam}.size"
    name_size = "([0-9]+"
  }
}

rule "r2" {
  reason = "because"
  allow  = ["upload"]
  expect { companion = "{name}" }
  expect { name_size = "[0-9]+" }
}

rule "r3" {
  reason = "because"
  allow  = ["download"]
  incomplete = "keep"
  expect { min_size = 1 }
}

rule "r4" {
  reason = "because"
  deny   = ["upload"]
  expect { min_size = 1 }
}

rule "r5" {
  reason = "because"
  allow  = ["append"]
  expect { }
}

rule "r6" {
  reason = "because"
  allow  = ["append"]
  expect { minsize = 1 }
}

# Labels that are none.

zone "bay 7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "a/b" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/ss7"
}

audit { dir = "audit" }

device ".." {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

device "" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

device "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

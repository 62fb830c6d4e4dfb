# Private keys that cannot be used.

zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "c1" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c2" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_missing"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c3" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_readable"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c4" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_garbage"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c5" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_passphrase"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c6" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = ""
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c7" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "."
  known_hosts     = "known_hosts"
  root            = "/ingest"
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
  deliver { conduit = "c1" }
}

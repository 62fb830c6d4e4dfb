# Values of a conduit.

zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "c1" {
  address         = "127.0.0.1"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c2" {
  address         = "127.0.0.1:ssh"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c3" {
  address         = ":22"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c4" {
  address         = "127.0.0.1:2022"
  user            = ""
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
}

conduit "c5" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "ingest"
}

conduit "c6" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest/../etc"
}

conduit "c7" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
  connections     = 0
}

conduit "c8" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
  connections     = 1.5
}

conduit "c9" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
  dial_timeout    = "0s"
  request_timeout = "1"
  keepalive       = "-1s"
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

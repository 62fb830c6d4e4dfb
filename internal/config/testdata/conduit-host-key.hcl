# Host keys that are not there.

zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "c1" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  root            = "/ingest"
}

conduit "c2" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest"
  host_key        = "ssh-ed25519 AAAA"
}

conduit "c3" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  root            = "/ingest"
  host_key        = "SHA256:abc"
}

conduit "c4" {
  address         = "127.0.0.1:2022"
  user            = "ss7"
  identity        = "id_ed25519"
  known_hosts     = "nowhere"
  root            = "/ingest"
}

conduit "c5" {
  address         = "other.example:22"
  user            = "ss7"
  identity        = "id_ed25519"
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

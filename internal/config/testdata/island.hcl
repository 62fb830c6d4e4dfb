// What can be wrong with an island.

island      = "maybe"
island_mode = "spool"
islands     = true
island_mood = "refuse"

zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "far" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest"
}

audit { dir = "audit" }

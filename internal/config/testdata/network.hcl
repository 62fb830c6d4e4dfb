# Where the gateway reaches, and what confines it.

gateway {
  sandbox    = "yes"
  forwarding = "allow"
}

zone "one" {
  listen        = "10.7.0.1:21"
  passive_ports = "50000-50099"
  active_ports  = "20-4095"
  interface     = "a network interface"
}

zone "two" {
  listen        = "10.8.0.1:21"
  passive_ports = "50000-50099"
  active_ports  = "all"
  interface     = "station-interface"
}

conduit "far" {
  address        = "192.0.2.1:22"
  user           = "u"
  identity       = "id_ed25519"
  known_hosts    = "known_hosts"
  root           = "/in"
  source_address = "2001:db8::1"
  interface      = "../eth0"
}

conduit "archive" {
  address        = "archive.example:22"
  user           = "u"
  identity       = "id_ed25519"
  known_hosts    = "known_hosts"
  root           = "/in"
  source_address = "0.0.0.0"
}

conduit "third" {
  address        = "archive.example:22"
  user           = "u"
  identity       = "id_ed25519"
  known_hosts    = "known_hosts"
  root           = "/in"
  source_address = "eth0"
}

audit {
  dir = "audit"
}

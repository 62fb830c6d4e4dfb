# One listener for each network. The passive ranges may be the same, since the addresses differ.

zone "bay-7" {
  listen        = "10.7.0.1:21"
  passive_ports = "50000-50099"
}

zone "yard" {
  listen          = "10.8.0.1:21"
  passive_ports   = "50000-50099"
  passive_address = "192.0.2.8" # the cameras reach this machine through address translation
  stall_timeout   = "2m"        # radio links
}

# With several conduits, each rule that allows says which one.

rule "disturbance-records" {
  reason  = "PRC-002: disturbance records leave the station"
  devices = ["relay-*"]
  zones   = ["bay-7"]
  allow   = ["upload", "list"]
  paths   = ["/events/**"]
  deliver {
    conduit = "operations"
  }
}

rule "clips" {
  reason   = "CIP-006: clips of the fence go to site security"
  devices  = ["camera-*"]
  zones    = ["yard"]
  allow    = ["upload", "list", "mkdir"]
  paths    = ["/**"]
  max_size = "500 MB"
  deliver {
    conduit     = "security"
    acknowledge = "delivered"
  }
}

rule "readings" {
  reason   = "daily load profiles for settlement"
  devices  = ["meter-*"]
  from     = ["10.8.2.0/24"]
  allow    = ["upload"]
  paths    = ["/*.csv", "/*.xml"]
  min_size = "1 B" # a meter that has lost its clock sends empty files
  max_size = "2 MB"
  deliver {
    conduit = "operations"
  }
}

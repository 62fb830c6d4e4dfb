# Blocks without what they need.

zone "bay-7" {
}

conduit "control-centre" {
}

audit {
  dir = null
}

device "relay-12" {
}

rule "records" {
}

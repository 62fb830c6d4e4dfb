zone "z" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}
conduit "c" {
  address     = "127.0.0.1:2022"
  user        = "u"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/"
}
audit { dir = "audit" }
rule "misspelt" {
  reason = "because"
  allow  = ["upload"]
  content { types = ["comtrad", "elf"] }
}
rule "empty" {
  reason = "because"
  allow  = ["upload"]
  content {}
}
rule "twice" {
  reason = "because"
  allow  = ["upload"]
  content { types = ["text"] }
  content { types = ["text"] }
}
rule "denies" {
  reason = "because"
  deny   = ["upload"]
  content { types = ["text"] }
}
rule "sends-nothing" {
  reason = "because"
  allow  = ["download"]
  content { types = ["text"] }
}
rule "missing-file" {
  reason = "because"
  allow  = ["upload"]
  content { sha256 = "missing.sha256" }
}
rule "no-digests" {
  reason = "because"
  allow  = ["upload"]
  content { sha256 = "known_hosts" }
}
rule "keeps" {
  reason     = "because"
  allow      = ["upload"]
  incomplete = "keep"
  content { types = ["text"] }
}
rule "expands-without-end" {
  reason = "because"
  allow  = ["upload"]
  content {
    max_expansion = 0
    max_expanded  = "0 B"
  }
}

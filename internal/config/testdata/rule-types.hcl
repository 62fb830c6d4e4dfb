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
  types  = ["comtrad", "elf"]
}
rule "downloads" {
  reason = "because"
  allow  = ["upload", "download"]
  types  = ["elf"]
}
rule "no-file" {
  reason = "because"
  deny   = ["list", "rename"]
  types  = ["elf"]
}
rule "holds" {
  reason = "because"
  deny   = ["upload", "append"]
  types  = ["elf", "pe"]
}
rule "keeps" {
  reason     = "because"
  allow      = ["upload"]
  types      = ["elf"]
  incomplete = "keep"
}

# Two servers in two networks, each with a key of its own.

conduit "operations" {
  address     = "sftp.control.example:22"
  user        = "station-12"
  identity    = "id_operations"
  known_hosts = "known_hosts"
  root        = "/ingest/station-12"
}

conduit "security" {
  address         = "clips.security.example:2022"
  user            = "station-12"
  identity        = "id_security"
  known_hosts     = "known_hosts"
  root            = "/clips/station-12"
  connections     = 4
  request_timeout = "1m"
}

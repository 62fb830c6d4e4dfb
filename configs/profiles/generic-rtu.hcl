# Remote terminal units of no particular make. Lay this file beside the other files of a configuration directory, and give each
# device that it is for the line: profile = "generic-rtu"
#
# No setting has a published source; start from the defaults and read the audit log's refused commands.
profile "generic-rtu" {
}

# Protection relays of Schweitzer Engineering Laboratories. Lay this file beside the other files of a configuration directory, and
# give each device that it is for the line: profile = "sel-relay"
#
# No setting has a published source; start from the defaults and read the audit log's refused commands.
#
# What is published has the relay as the FTP server, from which others fetch: SEL-400 Series Relays Instruction Manual, date code
# 20171006, section 15 (Communications Interfaces), "Access Control" and "FTP Session". What logs in here is then whatever fetches
# from the relays, and what that needs is in its own manual.
profile "sel-relay" {
}

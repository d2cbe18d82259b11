# SPDX-License-Identifier: Apache-2.0
# config.awk - a .config or a defconfig as a C header. "is not set" becomes 0:
# kinf_config.h would take the symbol's default otherwise.
BEGIN { print "/* Made from Kconfig's file; change that one. */" }
/^CONFIG_[A-Za-z0-9_]*=/ {
    name = substr($0, 1, index($0, "=") - 1)
    value = substr($0, index($0, "=") + 1)
    print "#define " name " " (value == "y" ? 1 : value == "n" ? 0 : value)
}
/^# CONFIG_[A-Za-z0-9_]* is not set/ { print "#define " $2 " 0" }

# SPDX-License-Identifier: Apache-2.0
# config.awk - a .config or a defconfig as a C header. "is not set" becomes 0:
# kinf_config.h would take the symbol's default otherwise. Of two lines on one
# symbol the last one counts.
BEGIN { print "/* Made from Kconfig's file; change that one. */" }
function set(name, value) {
    if (!(name in values))
        order[++count] = name
    values[name] = value
}
/^CONFIG_[A-Za-z0-9_]*=/ {
    value = substr($0, index($0, "=") + 1)
    set(substr($0, 1, index($0, "=") - 1),
        value == "y" ? 1 : value == "n" ? 0 : value)
}
/^# CONFIG_[A-Za-z0-9_]* is not set/ { set($2, 0) }
END {
    for (i = 1; i <= count; i++)
        print "#define " order[i] " " values[order[i]]
}

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A firmware without a source of randomness must not link, and names what is
# missing; with one it links. And port/freertos is compiled against the kernel
# that FREERTOS_DIR names, here our own headers laid out as FreeRTOS' are.

set -eu
cc="cc -std=c11 -Icore/include -Iport -Itests/freertos/kernel -D_GNU_SOURCE"
cat >"$TMPDIR/app.c" <<'END'
#include "freertos/kinf_freertos.h"
#ifdef ENTROPY
void kinf_freertos_entropy(void *out, size_t size)
{
    (void)out;
    (void)size;
}
#endif
int main(void)
{
    return kinf_freertos_platform.now_ms(NULL) != 0;
}
END
sources="$TMPDIR/app.c port/freertos/platform.c tests/freertos/standin.c"

echo 1..3
# shellcheck disable=SC2086
if $cc $sources -lpthread -o "$TMPDIR/app" 2>"$TMPDIR/said"; then
    echo "not ok 1 - no entropy source: does not link"
elif grep -q 'undefined reference.*kinf_freertos_entropy' "$TMPDIR/said"; then
    echo "ok 1 - no entropy source: does not link"
else
    sed 's/^/# /' "$TMPDIR/said"
    echo "not ok 1 - no entropy source: the linker names it"
fi
# shellcheck disable=SC2086
if $cc -DENTROPY $sources -lpthread -o "$TMPDIR/app" && "$TMPDIR/app"; then
    echo "ok 2 - with an entropy source it links and runs"
else
    echo "not ok 2 - with an entropy source it links and runs"
fi

kernel=$TMPDIR/kernel
mkdir -p "$kernel/include" "$kernel/portable/GCC/ARM_CM4F" "$TMPDIR/config"
cp tests/freertos/kernel/task.h "$kernel/include"
cp tests/freertos/kernel/FreeRTOS.h "$kernel/portable/GCC/ARM_CM4F/portmacro.h"
echo '#include "FreeRTOSConfig.h"' >"$kernel/include/FreeRTOS.h"
echo '#include "portmacro.h"' >"$TMPDIR/config/FreeRTOSConfig.h"
if env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make O="$TMPDIR/o" \
        FREERTOS_DIR="$kernel" FREERTOS_PORT=GCC/ARM_CM4F \
        FREERTOS_CONFIG="$TMPDIR/config" freertos >"$TMPDIR/said" 2>&1 &&
        grep -q "$kernel/include/task.h" \
            "$TMPDIR/o/freertos/obj/port/freertos/task.d"; then
    echo "ok 3 - FREERTOS_DIR names the kernel it is compiled against"
else
    sed 's/^/# /' "$TMPDIR/said"
    echo "not ok 3 - FREERTOS_DIR names the kernel it is compiled against"
fi

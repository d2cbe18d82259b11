/* SPDX-License-Identifier: Apache-2.0 */
/* system.c - what Mbed TLS has once for a process: randomness, clock, crypto.
 *
 * Its allocator, its clock functions and PSA's state are global by their
 * nature; so this file, with arena.c, is the one place of mutable globals. */
#include <string.h>

#include <mbedtls/ecp.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#if defined(MBEDTLS_PSA_CRYPTO_C)
#include <psa/crypto.h>
#endif

#include "glue.h"

#define KINF_FILE 63 /* for kinf_assert_failed */

/* What a handshake takes beside its two record buffers, at the least: measured
 * on a 32-bit machine with a leaf certificate and anchors in flash. */
#if defined(MBEDTLS_RSA_C)
#define HANDSHAKE_BYTES 8600
#else
#define HANDSHAKE_BYTES 6600
#endif
#define LEAST_BYTES                                                            \
    (MBEDTLS_SSL_IN_CONTENT_LEN + MBEDTLS_SSL_OUT_CONTENT_LEN + HANDSHAKE_BYTES)

#if !KINF_MBEDTLS_GATEWAY
_Static_assert(CONFIG_KINF_TLS_OUT_BYTES <= CONFIG_KINF_TLS_IN_BYTES,
               "KINF_TLS_OUT_BYTES is larger than KINF_TLS_IN_BYTES");
_Static_assert(CONFIG_KINF_TLS_ARENA_BYTES >= LEAST_BYTES,
               "KINF_TLS_ARENA_BYTES is less than a handshake takes: IN + OUT "
               "+ 6,600 bytes, with RSA 8,600");
#endif

static struct {
    struct kinf_mbedtls_system system;
    mbedtls_ctr_drbg_context drbg;
    bool started;
    uint32_t last_ms; /* of the platform's clock, which wraps */
    int64_t wraps_ms;
    int64_t good_s; /* a chain was valid then */
} sys;

const struct kinf_mbedtls_system *kinf_mbedtls_the_system(void)
{
    return &sys.system;
}

/* ---- randomness --------------------------------------------------------- */

static int entropy(void *ctx, unsigned char *out, size_t size)
{
    const struct kinf_platform *platform = sys.system.platform;

    (void)ctx;
    platform->random(platform->ctx, out, size);
    return 0;
}

int kinf_mbedtls_random(void *p, unsigned char *out, size_t size)
{
    (void)p;
    return mbedtls_ctr_drbg_random(&sys.drbg, out, size);
}

/* Our entropy never fails, nor does AES in C. */
void kinf_mbedtls_reseed(void)
{
    if (mbedtls_ctr_drbg_reseed(&sys.drbg, NULL, 0) != 0)
        kinf_assert_failed(KINF_FILE, __LINE__);
}

#if defined(MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG)
psa_status_t
mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *ctx,
                                uint8_t *out, size_t size, size_t *out_size)
{
    size_t done = 0;

    (void)ctx;
    while (done < size) {
        size_t part = size - done < MBEDTLS_CTR_DRBG_MAX_REQUEST
                          ? size - done
                          : MBEDTLS_CTR_DRBG_MAX_REQUEST;

        if (kinf_mbedtls_random(NULL, out + done, part) != 0)
            return PSA_ERROR_INSUFFICIENT_ENTROPY;
        done += part;
    }
    *out_size = size;
    return PSA_SUCCESS;
}
#endif

/* ---- clock -------------------------------------------------------------- */

/* Before it no true time can lie. */
static int64_t earliest_s(void)
{
    int64_t built_s = sys.system.built_s;

#if !KINF_MBEDTLS_GATEWAY
    if (sys.good_s > built_s)
        return sys.good_s;
#endif
    return built_s;
}

bool kinf_mbedtls_now(int64_t *now_s, bool *build)
{
    const struct kinf_platform *platform = sys.system.platform;

    *build = false;
    *now_s = platform->wall_s(platform->ctx);
    if (*now_s != KINF_WALL_UNKNOWN && *now_s >= earliest_s())
        return true;
    if (sys.system.no_clock != KINF_MBEDTLS_CHECK_BUILD_TIME ||
        earliest_s() == 0)
        return false;
    *build = true;
    *now_s = earliest_s();
    return true;
}

void kinf_mbedtls_note_good(void)
{
    int64_t now_s;
    bool build;

    if (kinf_mbedtls_now(&now_s, &build) && !build && now_s > sys.good_s)
        sys.good_s = now_s;
}

int64_t kinf_mbedtls_good_s(void)
{
    return sys.good_s;
}

/* Mbed TLS asks for the time here; a connection without one never begins. */
time_t kinf_mbedtls_time(time_t *now)
{
    int64_t now_s = 0;
    bool build;

    if (!kinf_mbedtls_now(&now_s, &build))
        now_s = 0;
    if (now != NULL)
        *now = (time_t)now_s;
    return (time_t)now_s;
}

/* Ages of tickets: the platform's clock, continued over its wrap. */
mbedtls_ms_time_t mbedtls_ms_time(void)
{
    const struct kinf_platform *platform = sys.system.platform;
    uint32_t now_ms = platform->now_ms(platform->ctx);

    if (now_ms < sys.last_ms)
        sys.wraps_ms += INT64_C(1) << 32;
    sys.last_ms = now_ms;
    return sys.wraps_ms + now_ms;
}

/* Days since 1970 of a date of the Gregorian calendar; the year begins in
 * March, so that the leap day is its last. */
static int64_t days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 +
                      (int64_t)day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

int64_t kinf_mbedtls_seconds(const mbedtls_x509_time *date)
{
    return days(date->year, (unsigned)date->mon, (unsigned)date->day) * 86400 +
           (int64_t)date->hour * 3600 + (int64_t)date->min * 60 + date->sec;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *time, struct tm *out)
{
    int64_t seconds = (int64_t)*time % 86400;
    int64_t z = (int64_t)*time / 86400 + 719468;
    int64_t era, of_era, year, of_year, month;

    if (seconds < 0) {
        seconds += 86400;
        z--;
    }
    era = (z >= 0 ? z : z - 146096) / 146097;
    of_era = z - era * 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;

    memset(out, 0, sizeof(*out));
    out->tm_mday = (int)(of_year - (153 * month + 2) / 5 + 1);
    out->tm_mon = (int)(month < 10 ? month + 2 : month - 10);
    out->tm_year = (int)(year + era * 400 + (out->tm_mon < 2) - 1900);
    out->tm_hour = (int)(seconds / 3600);
    out->tm_min = (int)(seconds / 60 % 60);
    out->tm_sec = (int)(seconds % 60);
    return out;
}

/* ---- start -------------------------------------------------------------- */

void kinf_mbedtls_exit(int status)
{
    (void)status;
    kinf_assert_failed(KINF_FILE, __LINE__);
}

void kinf_mbedtls_long_step(void)
{
    if (sys.system.long_step != NULL)
        sys.system.long_step(sys.system.ctx);
}

size_t kinf_mbedtls_least_arena(void)
{
    return LEAST_BYTES;
}

static void stop(void)
{
    if (!sys.started)
        return;
#if defined(MBEDTLS_PSA_CRYPTO_C)
    mbedtls_psa_crypto_free();
#endif
    mbedtls_ctr_drbg_free(&sys.drbg);
    sys.started = false;
}

int kinf_mbedtls_start(const struct kinf_mbedtls_system *system)
{
    stop();
    memset(&sys, 0, sizeof(sys));
    sys.system = *system;
    sys.good_s = system->good_s;
    if (system->arena_size < LEAST_BYTES ||
        !kinf_mbedtls_arena_init(system->arena, system->arena_size))
        return KINF_ERR_NO_MEMORY;
    sys.last_ms = system->platform->now_ms(system->platform->ctx);
    mbedtls_ctr_drbg_init(&sys.drbg);
    sys.started = true;
    if (mbedtls_ctr_drbg_seed(&sys.drbg, entropy, NULL, NULL, 0) != 0)
        goto failed;
    mbedtls_ctr_drbg_set_reseed_interval(&sys.drbg, INT32_MAX);
#if defined(MBEDTLS_PSA_CRYPTO_C)
    if (psa_crypto_init() != PSA_SUCCESS)
        goto failed;
#endif
#if defined(MBEDTLS_ECP_RESTARTABLE)
    mbedtls_ecp_set_max_ops(system->max_ops != 0 ? system->max_ops
                                                 : CONFIG_KINF_TLS_MAX_OPS);
#endif
    return KINF_OK;

failed:
    stop();
    return kinf_mbedtls_arena_refused() > 0 ? KINF_ERR_NO_MEMORY : KINF_ERR_TLS;
}

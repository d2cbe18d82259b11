/* SPDX-License-Identifier: Apache-2.0 */
/* test_pieces.c - the small parts inside port/mbedtls, each against something
 * that is known to be right: the arena, dates, IP addresses. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mbedtls/arena.h"
#include "port/mbedtls_port.h"

/* From glue.h, which needs Mbed TLS's own headers. */
uint8_t kinf_mbedtls_ip(const char *text, uint8_t out[16]);
struct tm *mbedtls_platform_gmtime_r(const time_t *now, struct tm *out);
int64_t mbedtls_ms_time(void);

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* ---- arena -------------------------------------------------------------- */

#define ARENA 8192
#define BLOCKS 64

static _Alignas(8) uint8_t memory[ARENA + 8];
static struct block {
    uint8_t *at;
    size_t size;
    uint8_t mark;
} blocks[BLOCKS];

static void expect_mark(const struct block *b)
{
    for (size_t i = 0; i < b->size; i++)
        assert_int_equal(b->at[i], b->mark);
}

static void add(struct block *b)
{
    b->size = draw(8) == 0 ? draw(3000) : draw(200);
    b->at = kinf_mbedtls_calloc(1, b->size);
    if (b->at == NULL)
        return;
    assert_true(b->at >= memory && b->at + b->size <= memory + ARENA);
    assert_int_equal((uintptr_t)b->at % 8, 0);
    for (size_t i = 0; i < b->size; i++)
        assert_int_equal(b->at[i], 0); /* also where others lay before */
    b->mark = (uint8_t)(1 + draw(255));
    memset(b->at, b->mark, b->size);
}

static void drop(struct block *b)
{
    expect_mark(b);
    kinf_mbedtls_free(b->at);
    b->at = NULL;
}

static void test_arena_keeps_blocks_apart(void **state)
{
    struct kinf_mbedtls_arena now;

    (void)state;
    for (uint32_t run = 1; run <= 40; run++) {
        seed = run;
        memset(memory, 0xEE, sizeof(memory));
        assert_true(kinf_mbedtls_arena_init(memory, ARENA));
        for (int i = 0; i < 3000; i++) {
            struct block *b = &blocks[draw(BLOCKS)];

            if (b->at == NULL)
                add(b);
            else
                drop(b);
            kinf_mbedtls_arena(&now);
            assert_true(now.used <= now.high && now.high <= now.top);
            assert_true(now.top <= now.size);
        }
        for (size_t i = 0; i < BLOCKS; i++)
            if (blocks[i].at != NULL)
                drop(&blocks[i]);
        kinf_mbedtls_arena(&now);
        assert_int_equal(now.used, 0);
        assert_true(now.refused > 0); /* it was full at times */
        /* All of it is one block again. */
        blocks[0].at = kinf_mbedtls_calloc(1, ARENA - 8);
        assert_non_null(blocks[0].at);
        kinf_mbedtls_free(blocks[0].at);
        blocks[0].at = NULL;
        for (size_t i = ARENA; i < sizeof(memory); i++)
            assert_int_equal(memory[i], 0xEE);
    }
}

static void test_arena_refuses_what_cannot_be(void **state)
{
    static const struct {
        size_t count, size;
    } bad[] = { { 1, ARENA }, { 1, SIZE_MAX }, { SIZE_MAX, 1 },
                { SIZE_MAX / 2 + 2, 2 }, { (size_t)1 << 20, (size_t)1 << 20 },
                { 1, ARENA - 7 } };
    struct kinf_mbedtls_arena now;

    (void)state;
    assert_false(kinf_mbedtls_arena_init(memory, 31));
    assert_true(kinf_mbedtls_arena_init(memory, ARENA));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(kinf_mbedtls_calloc(bad[i].count, bad[i].size));
        kinf_mbedtls_arena(&now);
        assert_int_equal(now.refused, i + 1);
        assert_int_equal(now.used, 0);
    }
    kinf_mbedtls_free(NULL);
    kinf_mbedtls_free(kinf_mbedtls_calloc(0, 5)); /* empty ones are blocks */
    kinf_mbedtls_free(kinf_mbedtls_calloc(5, 0));
}

static void test_arena_takes_the_lowest_place(void **state)
{
    void *a, *b, *c;

    (void)state;
    assert_true(kinf_mbedtls_arena_init(memory, ARENA));
    a = kinf_mbedtls_calloc(1, 100);
    b = kinf_mbedtls_calloc(1, 100);
    c = kinf_mbedtls_calloc(1, 100);
    kinf_mbedtls_free(a);
    kinf_mbedtls_free(b);
    assert_ptr_equal(kinf_mbedtls_calloc(1, 200), a); /* both, joined */
    assert_true(kinf_mbedtls_calloc(1, 10) > c);
}

/* ---- dates -------------------------------------------------------------- */

static void test_dates_are_those_of_the_c_library(void **state)
{
    (void)state;
    seed = 3;
    for (int i = 0; i < 20000; i++) {
        /* The years 1600 to 2500, and each second around a year's end. */
        int64_t s = (int64_t)draw(1u << 24) * 1693 - INT64_C(11676096000);
        time_t t = (time_t)(i % 2 == 0 ? s : s / 31556952 * 31556952 + i % 7);
        struct tm ours, libc;

        assert_non_null(mbedtls_platform_gmtime_r(&t, &ours));
        assert_non_null(gmtime_r(&t, &libc));
        assert_int_equal(ours.tm_year, libc.tm_year);
        assert_int_equal(ours.tm_mon, libc.tm_mon);
        assert_int_equal(ours.tm_mday, libc.tm_mday);
        assert_int_equal(ours.tm_hour, libc.tm_hour);
        assert_int_equal(ours.tm_min, libc.tm_min);
        assert_int_equal(ours.tm_sec, libc.tm_sec);
    }
}

static void test_the_clock_of_tickets_does_not_wrap(void **state)
{
    int64_t before;

    (void)state;
    assert_int_equal(tls_start(0, NULL), KINF_OK);
    set_boot_clock(UINT32_MAX - 5);
    before = mbedtls_ms_time();
    set_boot_clock(100);
    assert_true(mbedtls_ms_time() - before >= 105);
    assert_true(mbedtls_ms_time() - before < 1000);
    set_boot_clock(UINT32_MAX - 5);
    (void)mbedtls_ms_time();
    set_boot_clock(7);
    assert_true(mbedtls_ms_time() - before > INT64_C(1) << 32);
}

/* ---- IP addresses ------------------------------------------------------- */

static void expect_like_libc(const char *text)
{
    uint8_t ours[16] = { 0 }, libc[16] = { 0 };
    uint8_t len = kinf_mbedtls_ip(text, ours);

    if (inet_pton(AF_INET, text, libc) == 1) {
        if (len != 4 || memcmp(ours, libc, 4) != 0)
            fail_msg("'%s' is an IPv4 address", text);
    } else if (inet_pton(AF_INET6, text, libc) == 1) {
        if (len != 16 || memcmp(ours, libc, 16) != 0)
            fail_msg("'%s' is an IPv6 address", text);
    } else if (len != 0) {
        fail_msg("'%s' is a name, not an address of %u bytes", text, len);
    }
}

static void test_addresses_are_read_as_the_c_library_does(void **state)
{
    static const char *const texts[] = {
        "", "1.2.3.4", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5",
        "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "0.0.0.0", "1..3.4", "localhost",
        "::", "::1", "1::", "1::2", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
        "::1:2:3:4:5:6:7:8", "1::2::3", ":::", ":", "1:", ":1", "12345::",
        "fe80::1%lo", "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::1.2.3", "::1.2.3.4:5",
        "fd00::A", "fd00::g", "1.2.3.4::", "::1:", "1::2:", "abcd", "a.b",
        "1:2:3:4::5:6:7:8", "1:2:3::4:5:6:7:8", "0::0:0:0:0:0:0:0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_like_libc(texts[i]);
}

static void test_random_addresses_are_read_alike(void **state)
{
    static const char letters[] = "0123456789abF:::::....";
    char text[48];

    (void)state;
    seed = 11;
    for (int i = 0; i < 400000; i++) {
        size_t len = draw(i % 2 == 0 ? 12 : 40);

        for (size_t k = 0; k < len; k++)
            text[k] = letters[draw(sizeof(letters) - 1)];
        text[len] = '\0';
        expect_like_libc(text);
    }
    for (int i = 0; i < 20000; i++) { /* good ones, then one letter changed */
        uint8_t bytes[16];

        for (size_t k = 0; k < 16; k++)
            bytes[k] = draw(2) ? 0 : (uint8_t)draw(256);
        inet_ntop(AF_INET6, bytes, text, sizeof(text));
        expect_like_libc(text);
        text[draw((uint32_t)strlen(text))] = letters[draw(22)];
        expect_like_libc(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_keeps_blocks_apart),
        cmocka_unit_test(test_arena_refuses_what_cannot_be),
        cmocka_unit_test(test_arena_takes_the_lowest_place),
        cmocka_unit_test(test_dates_are_those_of_the_c_library),
        cmocka_unit_test(test_the_clock_of_tickets_does_not_wrap),
        cmocka_unit_test(test_addresses_are_read_as_the_c_library_does),
        cmocka_unit_test(test_random_addresses_are_read_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

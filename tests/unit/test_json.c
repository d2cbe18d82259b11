/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - values, strings, base64 and paths, whole and by pieces, of good
 * text and of text made to hurt. Every input lies at the very end of a block of
 * memory, so that the sanitizer sees a byte read too far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "kinformer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Runs with one copy of a text that has no byte after it. */
static char *block;
static size_t block_len;

static struct kinf_span at_end_of_block(const char *text, size_t len)
{
    free(block);
    block = malloc(len > 0 ? len : 1);
    block_len = len;
    assert_non_null(block);
    memcpy(block, text, len);
    return (struct kinf_span){ block, len };
}

static int free_block(void **state)
{
    (void)state;
    free(block);
    block = NULL;
    return 0;
}

static struct kinf_value value_of(enum kinf_json_type type, const char *text)
{
    return (struct kinf_value){ type, at_end_of_block(text, strlen(text)) };
}

static struct kinf_value document(const char *text)
{
    return value_of(text[0] == '[' ? KINF_JSON_ARRAY : KINF_JSON_OBJECT, text);
}

/* ---- strings ------------------------------------------------------------ */

/* Reads by pieces of one size into out; the total, or the error. */
static int by_pieces(struct kinf_value v, size_t piece, char *out, size_t max,
                     int (*read)(struct kinf_reader *, void *, size_t))
{
    struct kinf_reader r;
    char *small = malloc(piece);
    size_t total = 0;
    int n;

    assert_non_null(small);
    kinf_reader_init(&r, v);
    while ((n = read(&r, small, piece)) > 0) {
        assert_true((size_t)n <= piece);
        assert_true(total + (size_t)n <= max);
        memcpy(out + total, small, (size_t)n);
        total += (size_t)n;
        if (read == kinf_read_string && piece >= 4 && n > 0)
            assert_int_not_equal(0xC0, (uint8_t)small[n - 1] & 0xC0);
    }
    if (n == 0)
        assert_int_equal(0, read(&r, small, piece)); /* and stays so */
    else
        assert_int_equal(n, read(&r, small, piece));
    free(small);
    return n < 0 ? n : (int)total;
}

static const struct {
    const char *raw, *means;
    int len; /* or an error */
} strings[] = {
    { "", "", 0 },
    { "plain", "plain", 5 },
    { "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8 },
    { "a\\u0000b", "a\0b", 3 },
    { "\\u003c\\u003C\\u003e\\u0026", "<<>&", 4 },
    { "\\u00e9\\u20AC", "\xC3\xA9\xE2\x82\xAC", 5 },
    { "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", /* as it stands */
      "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9 },
    { "\\ud83d\\ude00", "\xF0\x9F\x98\x80", 4 },
    { "\\uD800\\uDC00\\uDBFF\\uDFFF", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8 },
    { "\\uffff\\u07ff\\u0800\\u007f\\u0080",
      "\xEF\xBF\xBF\xDF\xBF\xE0\xA0\x80\x7F\xC2\x80", 11 },
    /* half a pair is replaced, what follows is not lost */
    { "\\ud83d", "\xEF\xBF\xBD", 3 },
    { "\\ude00", "\xEF\xBF\xBD", 3 },
    { "\\ud83dx", "\xEF\xBF\xBDx", 4 },
    { "\\ud83d\\n", "\xEF\xBF\xBD\n", 4 },
    { "\\ud83d\\ud83d\\ude00", "\xEF\xBF\xBD\xF0\x9F\x98\x80", 7 },
    { "\\ude00\\ud83d", "\xEF\xBF\xBD\xEF\xBF\xBD", 6 },
    { "\\ud83d\\u0041", "\xEF\xBF\xBD" "A", 4 },
    /* broken */
    { "\\", "", KINF_ERR_TYPE },
    { "abc\\", "", KINF_ERR_TYPE },
    { "\\x41", "", KINF_ERR_TYPE },
    { "\\U0041", "", KINF_ERR_TYPE },
    { "\\u", "", KINF_ERR_TYPE },
    { "\\u12", "", KINF_ERR_TYPE },
    { "\\u123", "", KINF_ERR_TYPE },
    { "\\u12g4", "", KINF_ERR_TYPE },
    { "\\u 123", "", KINF_ERR_TYPE },
    { "\\u@123", "", KINF_ERR_TYPE },
    { "\\u`123", "", KINF_ERR_TYPE },
    { "\\ud83d\\u12", "", KINF_ERR_TYPE },
    { "\\ud83d\\", "", KINF_ERR_TYPE },
    /* not UTF-8: passed on, the wire has judged it */
    { "\x80\x80\x80\x80\x80\x80", "\x80\x80\x80\x80\x80\x80", 6 },
};

static void test_strings_are_unescaped_whole_and_by_pieces(void **state)
{
    char out[64];
    (void)state;

    for (size_t i = 0; i < COUNT(strings); i++) {
        struct kinf_value v = value_of(KINF_JSON_STRING, strings[i].raw);
        int len = strings[i].len;

        print_message("%s\n", strings[i].raw);
        assert_int_equal(len, kinf_string(v, out, sizeof(out)));
        if (len >= 0)
            assert_memory_equal(strings[i].means, out, (size_t)len);
        for (size_t piece = 1; piece < 20; piece++) {
            if (piece >= 4 && (uint8_t)strings[i].raw[0] == 0x80)
                break; /* has no characters to keep whole */
            assert_int_equal(len, by_pieces(v, piece, out, sizeof(out),
                                            kinf_read_string));
            if (len >= 0)
                assert_memory_equal(strings[i].means, out, (size_t)len);
        }
    }
}

static void test_a_string_fits_exactly_or_is_too_big(void **state)
{
    char out[16];
    (void)state;

    for (size_t i = 0; i < COUNT(strings); i++) {
        struct kinf_value v = value_of(KINF_JSON_STRING, strings[i].raw);
        int len = strings[i].len;

        if (len < 0)
            continue;
        for (int size = 0; size <= len; size++) {
            char *exact = malloc(size > 0 ? (size_t)size : 1);

            assert_non_null(exact);
            assert_int_equal(size == len ? len : KINF_ERR_TOO_BIG,
                             kinf_string(v, exact, (size_t)size));
            free(exact);
        }
    }
    assert_int_equal(KINF_ERR_TYPE,
                     kinf_string(value_of(KINF_JSON_NUMBER, "1"), out, 16));
    assert_int_equal(KINF_ERR_TYPE,
                     kinf_string(value_of(KINF_JSON_NULL, "null"), out, 16));
    assert_int_equal(KINF_ERR_TYPE,
                     kinf_string(value_of(KINF_JSON_OBJECT, "{}"), out, 0));
    assert_int_equal(KINF_ERR_TYPE,
                     kinf_base64(value_of(KINF_JSON_BOOL, "true"), out, 16));
}

static void test_a_megabyte_of_escapes_is_read_in_linear_time(void **state)
{
    size_t n = 1 << 20;
    char *raw = malloc(6 * n), *out = malloc(n);
    struct kinf_value v = { KINF_JSON_STRING, { raw, 6 * n } };
    (void)state;

    assert_non_null(raw);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        memcpy(raw + 6 * i, "\\u003c", 6);
    assert_int_equal(n, kinf_string(v, out, n));
    for (size_t i = 0; i < n; i++)
        assert_true(out[i] == '<');
    assert_int_equal(n, by_pieces(v, 7, out, n, kinf_read_string));
    free(raw);
    free(out);
}

static void test_equal_compares_what_a_string_says(void **state)
{
    struct kinf_value v = value_of(KINF_JSON_STRING, "a\\u0000\\u00e9\\/");
    struct kinf_value dots = { KINF_JSON_STRING, { "a.b\\\\", 5 } };
    char longer[200];
    (void)state;

    assert_true(kinf_equal(v, (struct kinf_span){ "a\0\xC3\xA9/", 5 }));
    assert_false(kinf_equal(v, (struct kinf_span){ "a\0\xC3\xA9/x", 6 }));
    assert_false(kinf_equal(v, (struct kinf_span){ "a\0\xC3\xA9", 4 }));
    assert_false(kinf_equal(v, (struct kinf_span){ "", 0 }));
    assert_true(kinf_equal(dots, KINF_SPAN("a.b\\")));
    assert_true(kinf_equal(value_of(KINF_JSON_STRING, ""), KINF_SPAN("")));
    assert_false(kinf_equal(value_of(KINF_JSON_STRING, "\\x"), KINF_SPAN("")));
    assert_true(kinf_equal(value_of(KINF_JSON_BOOL, "true"),
                           KINF_SPAN("true")));
    assert_false(kinf_equal(value_of(KINF_JSON_NUMBER, "1.0"),
                            KINF_SPAN("1")));
    memset(longer, 'x', sizeof(longer)); /* more than one piece */
    v.raw = at_end_of_block(longer, sizeof(longer));
    assert_true(kinf_equal(v, (struct kinf_span){ longer, sizeof(longer) }));
    longer[199] = 'y';
    assert_false(kinf_equal(v, (struct kinf_span){ longer, sizeof(longer) }));
}

/* ---- base64 ------------------------------------------------------------- */

static const struct {
    const char *raw, *means;
    int len;
} base64s[] = {
    { "", "", 0 },
    { "Zg==", "f", 1 },
    { "Zm8=", "fo", 2 },
    { "Zm9v", "foo", 3 },
    { "Zm9vYg==", "foob", 4 },
    { "Zm9vYmE=", "fooba", 5 },
    { "Zm9vYmFy", "foobar", 6 },
    { "AAAA", "\0\0\0", 3 },
    { "+/+/////", "\xFB\xFF\xBF\xFF\xFF\xFF", 6 },
    { "\\u002b\\/+\\/////", "\xFB\xFF\xBF\xFF\xFF\xFF", 6 },
    /* line breaks and unused bits are of no matter, as in Go */
    { "Zm9v\\nYmFy\\r\\n", "foobar", 6 },
    { "Z\\ng\\n=\\n=\\n", "f", 1 },
    { "Zh==", "f", 1 },
    { "Zm9=", "fo", 2 },
    { "Z", "", KINF_ERR_TYPE },
    { "Zg", "", KINF_ERR_TYPE },
    { "Zg=", "", KINF_ERR_TYPE },
    { "Zg=g", "", KINF_ERR_TYPE },
    { "Zg===", "", KINF_ERR_TYPE },
    { "Zg==Zg==", "", KINF_ERR_TYPE },
    { "Zm9v=", "", KINF_ERR_TYPE },
    { "Zm9vZ", "", KINF_ERR_TYPE },
    { "Zm8", "", KINF_ERR_TYPE },
    { "Zm8==", "", KINF_ERR_TYPE },
    { "Z===", "", KINF_ERR_TYPE },
    { "=", "", KINF_ERR_TYPE },
    { "====", "", KINF_ERR_TYPE },
    { "Zm9 v", "", KINF_ERR_TYPE },
    { "Zm9v\\tYmFy", "", KINF_ERR_TYPE },
    { "-_-_", "", KINF_ERR_TYPE },
    { "Zm9\xC3\xA9", "", KINF_ERR_TYPE },
    { "Zm9\\u00e9", "", KINF_ERR_TYPE },
    { "Zm9\\u0176", "", KINF_ERR_TYPE },
    { "Zm9\\", "", KINF_ERR_TYPE },
    { "Zm9\\x", "", KINF_ERR_TYPE },
    { "Zm9\x01", "", KINF_ERR_TYPE },
};

static void test_base64_is_decoded_whole_and_by_pieces(void **state)
{
    char out[64];
    (void)state;

    for (size_t i = 0; i < COUNT(base64s); i++) {
        struct kinf_value v = value_of(KINF_JSON_STRING, base64s[i].raw);
        int len = base64s[i].len;

        print_message("%s\n", base64s[i].raw);
        assert_int_equal(len, kinf_base64(v, out, sizeof(out)));
        if (len >= 0)
            assert_memory_equal(base64s[i].means, out, (size_t)len);
        for (size_t piece = 1; piece < 9; piece++) {
            assert_int_equal(len, by_pieces(v, piece, out, sizeof(out),
                                            kinf_read_base64));
            if (len >= 0)
                assert_memory_equal(base64s[i].means, out, (size_t)len);
        }
        for (int size = 0; size < len; size++)
            assert_int_equal(KINF_ERR_TOO_BIG,
                             kinf_base64(v, out, (size_t)size));
        if (len >= 0)
            assert_int_equal(len, kinf_base64(v, out, (size_t)len));
    }
}

static void test_base64_of_random_bytes_comes_back(void **state)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                  "qrstuvwxyz0123456789+/";
    uint8_t in[100], out[100];
    uint32_t seed = 12345;
    (void)state;

    for (size_t len = 0; len < sizeof(in); len++) {
        char coded[140];
        size_t used = 0;
        struct kinf_value v;

        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
        for (size_t i = 0; i < len; i += 3) {
            uint32_t bits = (uint32_t)in[i] << 16;

            bits |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
            bits |= i + 2 < len ? in[i + 2] : 0u;
            coded[used++] = letters[bits >> 18];
            coded[used++] = letters[bits >> 12 & 63];
            coded[used++] = i + 1 < len ? letters[bits >> 6 & 63] : '=';
            coded[used++] = i + 2 < len ? letters[bits & 63] : '=';
        }
        v = (struct kinf_value){ KINF_JSON_STRING,
                                 at_end_of_block(coded, used) };
        assert_int_equal(len, kinf_base64(v, out, sizeof(out)));
        assert_memory_equal(in, out, len);
    }
}

/* ---- numbers ------------------------------------------------------------ */

static void test_numbers_are_whole_and_in_range_or_refused(void **state)
{
    static const struct {
        const char *raw;
        int err;
        int64_t number;
    } cases[] = {
        { "0", KINF_OK, 0 },
        { "-0", KINF_OK, 0 },
        { "-1", KINF_OK, -1 },
        { "42", KINF_OK, 42 },
        { "9223372036854775807", KINF_OK, INT64_MAX },
        { "-9223372036854775808", KINF_OK, INT64_MIN },
        { "9223372036854775808", KINF_ERR_TOO_BIG, 0 },
        { "-9223372036854775809", KINF_ERR_TOO_BIG, 0 },
        { "18446744073709551616", KINF_ERR_TOO_BIG, 0 },
        { "92233720368547758070", KINF_ERR_TOO_BIG, 0 },
        { "1.0", KINF_ERR_TYPE, 0 },
        { "1e3", KINF_ERR_TYPE, 0 },
        { "-", KINF_ERR_TYPE, 0 },
        { "--1", KINF_ERR_TYPE, 0 },
        { "", KINF_ERR_TYPE, 0 },
    };
    int64_t out;
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].raw);
        out = 0;
        assert_int_equal(
            cases[i].err,
            kinf_int64(value_of(KINF_JSON_NUMBER, cases[i].raw), &out));
        assert_true(out == cases[i].number);
    }
    assert_int_equal(KINF_ERR_TYPE,
                     kinf_int64(value_of(KINF_JSON_STRING, "1"), &out));
}

/* ---- walking ------------------------------------------------------------ */

/* Writes "name=raw;" for each member, and the last answer when it is no 0. */
static const char *walked(struct kinf_value of)
{
    static char line[512];
    struct kinf_json_cursor cursor = { 0 };
    struct kinf_span name;
    struct kinf_value v;
    size_t used = 0;
    int more;

    line[0] = '\0';
    while ((more = kinf_each(of, &cursor, &name, &v)) == 1)
        used += (size_t)snprintf(line + used, sizeof(line) - used,
                                 "%.*s=%c%.*s;", (int)name.len, name.ptr,
                                 "nb#sao"[v.type], (int)v.raw.len, v.raw.ptr);
    assert_int_equal(more, kinf_each(of, &cursor, &name, &v)); /* stays so */
    if (more < 0)
        snprintf(line + used, sizeof(line) - used, "(%d)", more);
    return line;
}

#define BROKEN "(-45)"

static void test_each_gives_members_and_elements(void **state)
{
    static const struct {
        const char *text, *walk;
    } cases[] = {
        { "{}", "" },
        { "[]", "" },
        { " ", "(-45)" },
        { "{ \t\r\n}", "" },
        { "{\"a\":1}", "a=#1;" },
        { "{\"a\":\"x\",\"b\":[1,{\"c\":2}],\"c\":{\"]\":\"}\"}}",
          "a=sx;b=a[1,{\"c\":2}];c=o{\"]\":\"}\"};" },
        { "[null,true,false,-1.5e+3,\"\",[],{}]",
          "=nnull;=btrue;=bfalse;=#-1.5e+3;=s;=a[];=o{};" },
        { " { \"a\" : 1 , \"b\" : [ ] } ", "(-45)" }, /* white space before */
        { "{ \"a\" : 1 , \"b\" : [ ] } ", "a=#1;b=a[ ];" },
        { "{\"\\\"\":\"\\\\\"}", "\\\"=s\\\\;" },
        { "{\"a\":1,\"a\":2}", "a=#1;a=#2;" },
        /* broken, in every place */
        { "{", BROKEN },
        { "[", BROKEN },
        { "{\"a\"", BROKEN },
        { "{\"a\":", BROKEN },
        { "{\"a\":1", BROKEN },
        { "{\"a\":\"", BROKEN },
        { "{\"a\":\"\\\"}", BROKEN },
        { "{\"a\":{\"b\":1}", "a=o{\"b\":1};" BROKEN },
        { "{\"a\":1,}", "a=#1;" BROKEN },
        { "{,}", BROKEN },
        { "{1:2}", BROKEN },
        { "{\"a\" 1}", BROKEN },
        { "{\"a\":1 \"b\":2}", "a=#1;" BROKEN },
        { "{\"a\":}", BROKEN },
        { "{\"a\":nul}", BROKEN },
        { "{\"a\":True}", BROKEN },
        { "{\"a\":\"\\x\"}", BROKEN },
        { "{\"a\":\"\\u12\"}", BROKEN },
        { "{\"\\q\":1}", BROKEN },
        { "{\"a\":[\"\\q\"]}", BROKEN },
        { "{\"a\":\x01}", BROKEN },
        { "{\"a\":\xC3\xA9}", BROKEN },
        { "[1,]", "=#1;" BROKEN },
        { "[,1]", BROKEN },
        { "[1 2]", "=#1;" BROKEN },
        { "[1}", "=#1;" BROKEN },
        { "[1", BROKEN },
        { "[[1,[2]", BROKEN },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].text);
        assert_string_equal(cases[i].walk, walked(document(cases[i].text)));
    }
    assert_string_equal("(-7)", walked(value_of(KINF_JSON_STRING, "x")));
    assert_string_equal("(-7)", walked(value_of(KINF_JSON_NULL, "null")));
    assert_string_equal(BROKEN, walked(value_of(KINF_JSON_OBJECT, "")));
}

static void test_a_nul_inside_ends_nothing_but_the_reading(void **state)
{
    struct kinf_value v = { KINF_JSON_OBJECT, { NULL, 0 } };
    (void)state;

    v.raw = at_end_of_block("{\"a\0b\":1}", 9);
    assert_string_equal(BROKEN, walked(v));
    v.raw = at_end_of_block("{\0}", 3);
    assert_string_equal(BROKEN, walked(v));
    v.raw = at_end_of_block("{\"a\":1\0}", 8);
    assert_string_equal(BROKEN, walked(v));
    v.raw = at_end_of_block("{\"a\":[\0]}", 9); /* seen when one looks in */
    assert_int_equal('a', walked(v)[0]);
}

/* ---- paths -------------------------------------------------------------- */

static const char sample[] =
    "{\"data\":{\"app.conf\":\"x\\ny\",\"plain\":\"p\",\"b[0]\":\"q\","
    "\"back\\\\slash\":\"r\",\"esc\\u0061ped\":\"s\",\"\":\"t\"},"
    "\"spec\":{\"containers\":[{\"image\":\"a:1\",\"ports\":[[1,2],[3]]},"
    "{\"image\":\"b:2\"}],\"none\":null,\"yes\":true,\"n\":-7},"
    "\"spe\":1,\"specs\":2,\"tail\":[]}";

static void test_paths_lead_to_values(void **state)
{
    static const struct {
        const char *path;
        int err;
        const char *raw;
    } cases[] = {
        { "data.plain", KINF_OK, "p" },
        { "data.app\\.conf", KINF_OK, "x\\ny" },
        { "data.b\\[0\\]", KINF_OK, "q" },
        { "data.back\\\\slash", KINF_OK, "r" },
        { "data.escaped", KINF_OK, "s" },
        { "d\\ata.plai\\n", KINF_OK, "p" },
        { "spec.containers[0].image", KINF_OK, "a:1" },
        { "spec.containers[1].image", KINF_OK, "b:2" },
        { "spec.containers[01].image", KINF_OK, "b:2" },
        { "spec.containers[0].ports[0][1]", KINF_OK, "2" },
        { "spec.containers[0].ports[1]", KINF_OK, "[3]" },
        { "spec.none", KINF_OK, "null" },
        { "spec.yes", KINF_OK, "true" },
        { "spec.n", KINF_OK, "-7" },
        { "spe", KINF_OK, "1" },
        { "specs", KINF_OK, "2" },
        { "tail", KINF_OK, "[]" },
        { "tail[0]", KINF_ERR_NOT_FOUND, "" },
        { "spec.containers[2]", KINF_ERR_NOT_FOUND, "" },
        { "spec.containers[4294967296]", KINF_ERR_NOT_FOUND, "" },
        { "spec.containers[99999999999999999999]", KINF_ERR_NOT_FOUND, "" },
        { "spec.containers[1].ports", KINF_ERR_NOT_FOUND, "" },
        { "data.app.conf", KINF_ERR_NOT_FOUND, "" },
        { "data.app\\.con", KINF_ERR_NOT_FOUND, "" },
        { "data.app\\.conff", KINF_ERR_NOT_FOUND, "" },
        { "nothing.at.all", KINF_ERR_NOT_FOUND, "" },
        { "spec.none.x", KINF_ERR_NOT_FOUND, "" }, /* null is absent */
        { "spec.none[0]", KINF_ERR_NOT_FOUND, "" },
        { "spec.yes.x", KINF_ERR_TYPE, "" },
        { "spec.n[0]", KINF_ERR_TYPE, "" },
        { "data.plain.x", KINF_ERR_TYPE, "" },
        { "data[0]", KINF_ERR_TYPE, "" },
        { "spec.containers.image", KINF_ERR_TYPE, "" },
        { "[0]", KINF_ERR_TYPE, "" },
        { ".", KINF_ERR_SYNTAX, "" },
        { ".data", KINF_ERR_SYNTAX, "" },
        { "data.", KINF_ERR_SYNTAX, "" },
        { "data..plain", KINF_ERR_SYNTAX, "" },
        { "data\\", KINF_ERR_SYNTAX, "" },
        { "data]", KINF_ERR_SYNTAX, "" },
        { "[", KINF_ERR_SYNTAX, "" },
        { "[]", KINF_ERR_SYNTAX, "" },
        { "[x]", KINF_ERR_SYNTAX, "" },
        { "[-1]", KINF_ERR_SYNTAX, "" },
        { "tail[0", KINF_ERR_SYNTAX, "" },
        { "tail.[0]", KINF_ERR_SYNTAX, "" },
        { "tail[0]x", KINF_ERR_SYNTAX, "" },
        { "tail[0].", KINF_ERR_SYNTAX, "" },
        { "tail[0]]", KINF_ERR_SYNTAX, "" },
        { "nothing.[", KINF_ERR_SYNTAX, "" }, /* whatever the object holds */
        { "spec.yes.x.", KINF_ERR_SYNTAX, "" },
    };
    struct kinf_value v;
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].path);
        assert_int_equal(cases[i].err, kinf_value_find(document(sample),
                                                       cases[i].path, &v));
        if (cases[i].err != KINF_OK)
            continue;
        assert_int_equal(strlen(cases[i].raw), v.raw.len);
        assert_memory_equal(cases[i].raw, v.raw.ptr, v.raw.len);
    }
}

static void test_a_path_may_begin_at_any_value(void **state)
{
    struct kinf_value list = document("[[10,20],[30]]"), v;
    struct kinf_value text = { KINF_JSON_STRING, { "{", 1 } };
    struct kinf_value null = { KINF_JSON_NULL, { "null", 4 } };
    (void)state;

    assert_int_equal(KINF_OK, kinf_value_find(list, "[1][0]", &v));
    assert_memory_equal("30", v.raw.ptr, 2);
    assert_int_equal(KINF_OK, kinf_value_find(list, "[0]", &v));
    assert_int_equal(KINF_OK, kinf_value_find(v, "[1]", &v));
    assert_memory_equal("20", v.raw.ptr, 2);
    assert_int_equal(KINF_JSON_NUMBER, v.type);
    assert_int_equal(KINF_OK, kinf_value_find(text, "", &v));
    assert_ptr_equal(text.raw.ptr, v.raw.ptr);
    assert_int_equal(KINF_ERR_TYPE, kinf_value_find(text, "a", &v));
    assert_int_equal(KINF_ERR_NOT_FOUND, kinf_value_find(null, "a", &v));
    assert_int_equal(KINF_ERR_JSON, kinf_value_find(document("{\"a\":[1"),
                                                    "a[1]", &v));
    assert_int_equal(KINF_ERR_JSON,
                     kinf_value_find(document("{\"a\":1"), "a", &v));
    assert_int_equal(KINF_ERR_JSON,
                     kinf_value_find(document("{\"b\":tru,\"a\":1}"), "a", &v));
    assert_int_equal(KINF_ERR_TYPE, kinf_value_find(document("{\"a\":"),
                                                    "a.b", &v));
}

static void test_every_cut_of_a_document_is_survived(void **state)
{
    static const char *const paths[] = { "data.plain", "spec.containers[1]",
                                         "tail", "specs.x", "nothing" };
    (void)state;

    for (size_t len = 0; len < sizeof(sample); len++) {
        struct kinf_value v = { KINF_JSON_OBJECT, { NULL, 0 } }, found;

        v.raw = at_end_of_block(sample, len);
        walked(v);
        for (size_t i = 0; i < COUNT(paths); i++)
            kinf_value_find(v, paths[i], &found);
    }
}

static void test_random_damage_is_survived(void **state)
{
    uint32_t seed = 99;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        char damaged[sizeof(sample)];
        struct kinf_value v = { KINF_JSON_OBJECT, { NULL, 0 } }, found;
        char out[64];

        memcpy(damaged, sample, sizeof(sample));
        for (int i = 0; i < 3; i++) {
            seed = seed * 1664525 + 1013904223;
            damaged[(seed >> 8) % (sizeof(sample) - 1)] =
                "\"\\{}[]:,u0tn \xFF\x00"[seed >> 28];
        }
        v.raw = at_end_of_block(damaged, sizeof(sample) - 1);
        walked(v);
        if (kinf_value_find(v, "data.app\\.conf", &found) == KINF_OK)
            kinf_string(found, out, sizeof(out));
        kinf_value_find(v, "spec.containers[0].ports[1][0]", &found);
    }
}

/* ---- large and deep ----------------------------------------------------- */

static void test_a_deep_and_large_document_is_passed_in_linear_time(
    void **state)
{
    size_t depth = 2 << 20;
    char *text = malloc(2 * depth + 32);
    struct kinf_value v = { KINF_JSON_OBJECT, { text, 0 } }, found;
    clock_t began;
    (void)state;

    assert_non_null(text);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', depth);
    memset(text + 5 + depth, ']', depth);
    memcpy(text + 5 + 2 * depth, ",\"b\":7}", 7);
    v.raw.len = 2 * depth + 12;
    began = clock();
    assert_int_equal(KINF_OK, kinf_value_find(v, "b", &found));
    assert_int_equal('7', found.raw.ptr[0]);
    assert_int_equal(KINF_OK, kinf_value_find(v, "a[0][0][0]", &found));
    assert_int_equal(2 * (depth - 3), found.raw.len);
    assert_true((clock() - began) / CLOCKS_PER_SEC < 5);
    free(text);
}

static void test_many_members_are_walked_in_linear_time(void **state)
{
    size_t n = 200000, used = 1;
    char *text = malloc(n * 16 + 2);
    struct kinf_json_cursor cursor = { 0 };
    struct kinf_value v = { KINF_JSON_OBJECT, { text, 0 } }, one;
    struct kinf_span name;
    size_t seen = 0;
    clock_t began;
    (void)state;

    assert_non_null(text);
    text[0] = '{';
    for (size_t i = 0; i < n; i++)
        used += (size_t)sprintf(text + used, "%s\"k%06zu\":{}", i ? "," : "",
                                i);
    text[used++] = '}';
    v.raw.len = used;
    began = clock();
    while (kinf_each(v, &cursor, &name, &one) == 1)
        seen++;
    assert_int_equal(n, seen);
    assert_int_equal(KINF_OK, kinf_value_find(v, "k199999", &one));
    assert_true((clock() - began) / CLOCKS_PER_SEC < 5);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_unescaped_whole_and_by_pieces),
        cmocka_unit_test(test_a_string_fits_exactly_or_is_too_big),
        cmocka_unit_test(test_a_megabyte_of_escapes_is_read_in_linear_time),
        cmocka_unit_test(test_equal_compares_what_a_string_says),
        cmocka_unit_test(test_base64_is_decoded_whole_and_by_pieces),
        cmocka_unit_test(test_base64_of_random_bytes_comes_back),
        cmocka_unit_test(test_numbers_are_whole_and_in_range_or_refused),
        cmocka_unit_test(test_each_gives_members_and_elements),
        cmocka_unit_test(test_a_nul_inside_ends_nothing_but_the_reading),
        cmocka_unit_test(test_paths_lead_to_values),
        cmocka_unit_test(test_a_path_may_begin_at_any_value),
        cmocka_unit_test(test_every_cut_of_a_document_is_survived),
        cmocka_unit_test(test_random_damage_is_survived),
        cmocka_unit_test(
            test_a_deep_and_large_document_is_passed_in_linear_time),
        cmocka_unit_test(test_many_members_are_walked_in_linear_time),
    };

    return cmocka_run_group_tests(tests, NULL, free_block);
}

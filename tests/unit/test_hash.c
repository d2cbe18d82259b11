/* SPDX-License-Identifier: Apache-2.0 */
/* test_hash.c - SipHash-2-4, by the vectors of its authors. */
#include "base/hash.h"
#include "fake.h"

static const uint64_t key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };

/* Of the bytes 0, 1, 2, ... with that key. */
static const struct {
    size_t len;
    uint64_t hash;
} cases[] = {
    { 0, 0x726fdb47dd0e0e31u },  { 1, 0x74f839c593dc67fdu },
    { 2, 0x0d6c8009d9a94f5au },  { 3, 0x85676696d7fb7e2du },
    { 4, 0xcf2794e0277187b7u },  { 5, 0x18765564cd99a68du },
    { 6, 0xcbc9466e58fee3ceu },  { 7, 0xab0200f58b01d137u },
    { 8, 0x93f5f5799a932462u },  { 15, 0xa129ca6149be45e5u },
};

static void fill(uint8_t bytes[16])
{
    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = i;
}

static void test_hash_is_siphash_2_4(void **state)
{
    uint8_t bytes[16];
    struct hash h;

    (void)state;
    fill(bytes);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kinf_hash_init(&h, key);
        kinf_hash_add(&h, bytes, cases[i].len);
        assert_int_equal(cases[i].hash, kinf_hash_end(&h));
    }
}

static void test_hash_does_not_depend_on_the_pieces(void **state)
{
    uint8_t bytes[16];
    struct hash h;

    (void)state;
    fill(bytes);
    for (size_t cut = 0; cut <= 15; cut++) {
        kinf_hash_init(&h, key);
        kinf_hash_add(&h, bytes, cut);
        kinf_hash_add(&h, bytes + cut, 15 - cut);
        assert_int_equal(0xa129ca6149be45e5u, kinf_hash_end(&h));
    }
}

static void test_hash_depends_on_the_key(void **state)
{
    const uint64_t other[2] = { key[0], key[1] ^ 1 };
    struct hash a, b;

    (void)state;
    kinf_hash_init(&a, key);
    kinf_hash_init(&b, other);
    assert_int_not_equal(kinf_hash_end(&a), kinf_hash_end(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_siphash_2_4),
        cmocka_unit_test(test_hash_does_not_depend_on_the_pieces),
        cmocka_unit_test(test_hash_depends_on_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

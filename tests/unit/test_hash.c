/* SPDX-License-Identifier: Apache-2.0 */
/* test_hash.c - HalfSipHash-2-4, by the vectors of its authors. */
#include "base/hash.h"
#include "fake.h"

static const uint32_t key[2] = { 0x03020100u, 0x07060504u };

/* Of the bytes 0, 1, 2, ... with that key. */
static const struct {
    size_t len;
    uint32_t hash;
} cases[] = {
    { 0, 0x5b9f35a9u }, { 1, 0xb85a4727u },  { 2, 0x03a662fau },
    { 3, 0x04e7fe8au }, { 4, 0x89466e2au },  { 5, 0x69b6fac5u },
    { 6, 0x23fc6358u }, { 7, 0xc563cf8bu },  { 8, 0x8f84b8d0u },
    { 9, 0x79e706f8u }, { 14, 0x7cf8ffd6u }, { 15, 0x972bfe74u },
};

static void fill(uint8_t bytes[16])
{
    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = i;
}

static void test_hash_is_halfsiphash_2_4(void **state)
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
        assert_int_equal(0x972bfe74u, kinf_hash_end(&h));
    }
}

static void test_hash_depends_on_the_key(void **state)
{
    const uint32_t other[2] = { key[0], key[1] ^ 1 };
    struct hash a, b;

    (void)state;
    kinf_hash_init(&a, key);
    kinf_hash_init(&b, other);
    assert_int_not_equal(kinf_hash_end(&a), kinf_hash_end(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_halfsiphash_2_4),
        cmocka_unit_test(test_hash_does_not_depend_on_the_pieces),
        cmocka_unit_test(test_hash_depends_on_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

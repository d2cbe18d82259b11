/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http_response.c - answers on one connection: what is told of them does
 * not depend on how the bytes come.
 *
 * Input: eight sizes of pieces, then the bytes of the connection. */
#include "fuzz.h"
#include "wire/http_response.h"

static void tell_head(struct told *told, const struct kinf_http_response *r)
{
    MUST(r->status >= 200 && r->status <= 999);
    told_number(told, "head", r->status);
    told_number(told, "keep", r->keep_alive);
    told_number(told, "json", r->json);
    told_number(told, "chunked", r->chunked);
    told_number(told, "retry", r->retry_after_s);
    told_number(told, "retry-date", r->retry_after_date);
    told_number(told, "date", r->date);
}

static void tell_error(struct told *told, struct kinf_http_response *r, int err)
{
    struct kinf_span body;
    size_t used = 0;

    told_number(told, "error", err);
    MUST(kinf_http_response_feed(r, "x", 1, &used, &body) == err);
    MUST(kinf_http_response_closed(r) == err);
}

/* Takes one answer in. Returns whether another may follow it. */
static bool answer(struct pieces *p, struct told *told)
{
    struct kinf_http_response *r = malloc(sizeof(*r));
    struct kinf_span piece, body;
    int event = KINF_ERR_AGAIN;
    bool headed = false, more = false;
    struct told text = { NULL, 0, 0 };

    MUST(r != NULL);
    kinf_http_response_init(r);
    while (event != HTTP_END && pieces_next(p, &piece)) {
        size_t used = SIZE_MAX;

        event = kinf_http_response_feed(r, piece.ptr, piece.len, &used, &body);
        MUST(used <= piece.len);
        MUST(event != KINF_ERR_AGAIN || used == piece.len);
        MUST(event != HTTP_END || used > 0);
        pieces_used(p, used);
        if (event == HTTP_HEAD) {
            MUST(!headed);
            headed = true;
            tell_head(told, r);
        } else if (event == HTTP_BODY) {
            MUST(headed && body.len > 0 && body.ptr >= piece.ptr &&
                 body.ptr + body.len <= piece.ptr + piece.len);
            told_bytes(&text, body.ptr, body.len);
        } else if (event < 0 && event != KINF_ERR_AGAIN) {
            break;
        }
    }
    told_text(told, "body", (struct kinf_span){ text.text, text.len });
    told_free(&text);
    if (event == HTTP_END) {
        MUST(headed);
        more = r->keep_alive;
        told_number(told, "end", (long long)pieces_done(p));
    } else if (event < 0 && event != KINF_ERR_AGAIN) {
        tell_error(told, r, event);
    } else {
        told_number(told, "closed", kinf_http_response_closed(r));
    }
    free(r);
    return more;
}

static struct told tell(struct kinf_span text, struct kinf_span cuts)
{
    struct pieces p = pieces_of(text, cuts);
    struct told told = { NULL, 0, 0 };

    while (answer(&p, &told) && pieces_done(&p) < text.len)
        ;
    pieces_free(&p);
    return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice d = { data, data + size };
    struct kinf_span cuts = dice_text(&d, 8), text = dice_rest(&d);
    struct told whole = tell(text, (struct kinf_span){ NULL, 0 });
    struct told split = tell(text, cuts);
    struct told bytes = tell(text, (struct kinf_span){ "\0", 1 });

    MUST(told_same(&whole, &split));
    MUST(told_same(&whole, &bytes));
    told_free(&whole);
    told_free(&split);
    told_free(&bytes);
    return 0;
}

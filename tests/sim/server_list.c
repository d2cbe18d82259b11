/* SPDX-License-Identifier: Apache-2.0 */
/* server_list.c - whole lists, pages and their tokens, exact versions; see
 * server_conn.h. */
#include <stdio.h>

#include "server_conn.h"

void write_object(struct text *out, const struct view *v, uint32_t state,
                       bool head_too, uint64_t rev)
{
    const struct form form = { .head = head_too,
                               .metadata_only = v->metadata_only,
                               .spread = server.spread_json, .rev = rev };

    render(out, state, &form);
}

static bool is_after(const struct key *key, const struct page_token *t)
{
    int order = strcmp(key->namespace_, t->namespace_);

    return order != 0 ? order > 0 : strcmp(key->name, t->name) > 0;
}

static bool in_path(const struct view *v, uint32_t state)
{
    return state != NO_STATE &&
           (v->namespace_[0] == '\0' ||
            strcmp(v->namespace_, key_of(state)->namespace_) == 0);
}

/* Writes the items of a page; returns how many are left behind it, whether a
 * selector has them or not: a last page may be empty. */
static uint32_t write_items(struct writes *w, const struct conn *c,
                            uint64_t rev, struct page_token *token)
{
    const struct resource *r = &etcd.resources[c->q.view.res];
    bool limited = c->q.has_limit && !(c->q.has_version && c->q.version == 0);
    bool from_start = !c->q.has_continue;
    struct page_token begin = *token;
    uint32_t count = 0, left = 0;

    for (size_t i = 0; i < r->sorted.count; i++) {
        const struct key *key = r->sorted.at[i];
        uint32_t state = etcd_at(c->q.view.res, key, rev);

        if (!in_path(&c->q.view, state) ||
            (!from_start && !is_after(key, &begin)))
            continue;
        if (limited && count == c->q.limit) {
            left++;
            continue;
        }
        if (!view_has(&c->q.view, state))
            continue;
        if (count++ > 0)
            text_add(&w->text, ",");
        writes_end(w);
        write_object(&w->text, &c->q.view, state, false, 0);
        writes_end(w);
        snprintf(token->namespace_, sizeof(token->namespace_), "%s",
                 key->namespace_);
        snprintf(token->name, sizeof(token->name), "%s", key->name);
    }
    return left;
}

static void list_metadata(struct text *out, const struct conn *c, uint64_t rev,
                          const struct text *continue_, uint32_t left)
{
    const struct view *v = &c->q.view;
    bool sorted = kinds[v->res].unstructured && !v->metadata_only;
    bool counted = left > 0 && v->selector == 0 && v->field_selector == 0;

    text_add(out, "\"metadata\":{");
    if (!sorted)
        text_fmt(out, "\"resourceVersion\":\"%llu\"",
                 (unsigned long long)rev);
    if (left > 0 || sorted) {
        text_fmt(out, "%s\"continue\":\"", sorted ? "" : ",");
        text_bytes(out, continue_->ptr, continue_->len);
        text_add(out, "\"");
    }
    if (counted)
        text_fmt(out, ",\"remainingItemCount\":%u", left);
    if (sorted)
        text_fmt(out, ",\"resourceVersion\":\"%llu\"",
                 (unsigned long long)rev);
    text_add(out, "}");
}

/* Items and metadata lie apart, for a custom resource's metadata comes last
 * and the token in it names the last item. */
static uint32_t list_json(struct writes *out, const struct conn *c,
                          uint64_t rev, const struct page_token *at)
{
    const struct kind *k = &kinds[c->q.view.res];
    bool partial = c->q.view.metadata_only;
    bool sorted = k->unstructured && !partial;
    struct writes items = { .ends = { NULL, 0, 0 } };
    struct text meta = { NULL, 0, 0, 0 }, continue_ = { NULL, 0, 0, 0 };
    struct text *text = &out->text;
    struct page_token token = *at;
    uint32_t left = write_items(&items, c, rev, &token);

    token.rev = rev;
    token.restores = etcd.restores;
    token.made_at = at->made_at;
    if (left > 0)
        page_token_write(&continue_, &token);
    list_metadata(&meta, c, rev, &continue_, left);
    if (sorted)
        text_fmt(text, "{\"apiVersion\":\"%s\",\"items\":", k->api_version);
    else
        text_fmt(text, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",%s,"
                       "\"items\":",
                 partial ? "PartialObjectMetadata" : k->kind,
                 partial ? "meta.k8s.io/v1" : k->api_version, meta.ptr);
    /* Older servers say null where nothing is. */
    text_add(text, items.text.len == 0 && !server.answers_all && chance(20)
                       ? "null" : "[");
    for (size_t i = 0; i < items.ends.count; i++)
        *array_push(&out->ends) = text->len + items.ends.at[i];
    text_bytes(text, items.text.ptr, items.text.len);
    writes_end(out);
    if (text->ptr[text->len - 1] != 'l')
        text_add(text, "]");
    if (sorted)
        text_fmt(text, ",\"kind\":\"%sList\",%s", k->kind, meta.ptr);
    text_add(text, "}\n");
    writes_end(out);
    writes_free(&items);
    text_free(&continue_);
    text_free(&meta);
    return left;
}

static void cut_slow_list(void *ctx, uint64_t arg)
{
    struct conn *c = conn_of(arg);

    (void)ctx;
    if (c == NULL || c->state != CONN_IDLE || link_backlog(c->link) == 0)
        return;
    TELL("server: the list took more than 60 s, cut");
    conn_cut(c);
}

void list_at(struct conn *c, uint64_t rev, const struct page_token *at)
{
    struct writes w = { .ends = { NULL, 0, 0 } };
    struct asked asked = conn_asked(c);
    uint32_t left = list_json(&w, c, rev, at);

    if (rev < etcd.rev)
        world_retold(&asked, rev, false);

    TELL("server: list at %llu, %zu bytes, %u left", (unsigned long long)rev,
         w.text.len, left);
    if (c->q.pretty || c->q.view.metadata_only) /* not item by item */
        answer_text(c, 200, "OK", "application/json", NULL, &w.text);
    else
        answer_whole(c, 200, "OK", "application/json", NULL, &w);
    if (c->state == CONN_IDLE)
        conn_later(c, sim.now + MINUTE, cut_slow_list);
    if (left == 0)
        world_listed(&asked, rev);
    writes_free(&w);
}

/* Older versions come from the snapshots of the watch cache, which begin with
 * it; without them from etcd. */
static bool is_compacted(const struct conn *c, uint64_t rev)
{
    return rev < etcd.compact_rev &&
           (server.old_paging || rev < replica_of(c)->cache_from);
}

void list_next_page(struct conn *c)
{
    struct page_token token;

    if (!page_token_read(&token, c->q.continue_)) {
        refuse(c, 400, "Bad Request", "BadRequest",
               "invalid continue token: continue key is not valid: invalid "
               "character 'i' looking for beginning of value", NULL, NULL);
        return;
    }
    if (token.restores != etcd.restores || token.rev > etcd.rev ||
        is_compacted(c, token.rev)) {
        refuse_old_page(c, &token);
        return;
    }
    list_at(c, token.rev, &token);
}

void list_exact(struct conn *c)
{
    struct page_token start = { .made_at = sim.now };

    if (is_compacted(c, c->q.version))
        refuse(c, 410, "Gone", "Expired",
               "The resourceVersion for the provided list is too old.", NULL,
               NULL);
    else
        list_at(c, c->q.version, &start);
}

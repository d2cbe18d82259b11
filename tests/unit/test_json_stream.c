/* SPDX-License-Identifier: Apache-2.0 */
/* test_json_stream.c - lists, watches, single objects and refusals: good, odd,
 * broken, cut, very large; at every split and for sinks of every size. */
#include "tell_wire.h"

/* ---- the runner --------------------------------------------------------- */

struct how {
    enum json_mode mode;
    const struct kinf_span *keep;
    uint32_t keep_count;
    struct kinf_span kind;
    size_t sink_size; /* 0: as large as needed */
    bool quiet;       /* of the kept JSON tell the size only */
};

/* Begins are written down only where the event is not what the item says. */
static void run(void *ctx, struct feeder *f, struct told *told)
{
    const struct how *how = ctx;
    size_t size = how->sink_size > 0 ? how->sink_size : f->input.len + 1;
    struct kinf_sink none = { NULL, 0, 0, 0 }, sink = none;
    char *buf = malloc(size);
    struct kinf_item item = { .event = KINF_EVENT_LISTED };
    enum kinf_event begun = KINF_EVENT_LISTED;
    bool in_object = false;
    struct kinf_json_stream s;
    struct kinf_span piece;

    assert_non_null(buf);
    kinf_json_stream_init(&s, how->mode, &sink, &item);
    json_stream_keep(&s, how->keep, how->keep_count);
    s.kind = how->kind;
    while (feeder_next(f, &piece)) {
        size_t used = SIZE_MAX;
        int event = kinf_json_stream_feed(&s, piece.ptr, piece.len, &used);

        assert_true(used <= piece.len);
        assert_true(event != KINF_ERR_AGAIN || used == piece.len);
        feeder_used(f, used);
        switch (event) {
        case JSON_BEGIN:
            assert_false(in_object);
            in_object = true;
            begun = item.event;
            sink = (struct kinf_sink){ buf, size, 0, 0 };
            break;
        case JSON_ITEM:
            if (in_object && begun != item.event) {
                tell(told, "as ");
                tell(told, event_name(begun));
                tell(told, " ");
            }
            tell_item(how->quiet, told, &item, &sink);
            in_object = false;
            sink = none;
            break;
        case JSON_END:
            tell_end(told, &item);
            break;
        case KINF_ERR_AGAIN:
            break;
        default:
            tell(told, error_name(event));
            assert_int_equal(
                kinf_json_stream_feed(&s, "{", 1, &used), event);
            assert_int_equal(used, 0);
            assert_false(kinf_json_stream_between(&s));
            free(buf);
            return;
        }
    }
    if (how->mode == JSON_WATCH && !kinf_json_stream_between(&s))
        tell(told, "inside");
    free(buf);
}

static const struct how as_list = { .mode = JSON_LIST };
static const struct how as_watch = { .mode = JSON_WATCH };
static const struct how as_single = { .mode = JSON_SINGLE };
static const struct how as_status = { .mode = JSON_STATUS };

/* Here JSON is written with ' for ", which stands nowhere else. */
static void quote(char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            *text = '"';
}

static char *quoted(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    quote(copy);
    return copy;
}

static void expect(const struct how *how, const char *input,
                   const char *expected)
{
    struct how copy = *how;
    char *in = quoted(input), *told = quoted(expected);

    feed_every_way(run, &copy, (struct kinf_span){ in, strlen(in) }, told);
    free(in);
    free(told);
}

/* A printed text, to be freed. */
__attribute__((format(printf, 1, 2), noinline)) static char *
format(const char *format_, ...)
{
    va_list args;
    int n;
    char *text;

    va_start(args, format_);
    n = vsnprintf(NULL, 0, format_, args);
    va_end(args);
    text = malloc((size_t)n + 1);
    assert_non_null(text);
    va_start(args, format_);
    vsnprintf(text, (size_t)n + 1, format_, args);
    va_end(args);
    return text;
}

/* n times what, to be freed. */
static char *times(size_t n, const char *what)
{
    size_t len = strlen(what);
    char *text = malloc(n * len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, what, len);
    text[n * len] = '\0';
    return text;
}

/* Checks a large object in a few ways, not at a thousand splits. */
static void expect_large(const struct how *how, const char *input,
                         const char *expected)
{
    char *in = quoted(input), *told = quoted(expected);
    struct feeder f = feeder_of((struct kinf_span){ in, strlen(in) });
    struct how copy = *how;

    feed_cut(run, &copy, &f, f.input.len, 1, told);
    feed_cut(run, &copy, &f, 1, 1, told);
    feed_cut(run, &copy, &f, 100, 2048, told);
    feed_cut(run, &copy, &f, 7, 4099, told);
    feeder_free(&f);
    free(in);
    free(told);
}

/* A single object whose member "x" is the value, and what is told of it. */
static void expect_member(const char *value, bool good)
{
    char *input = format("{'metadata':{'name':'n','resourceVersion':"
                         "'1'},'x':%s}",
                         value);
    char *told = good ? format("LISTED name=n version=1\n  %s\nend\n", input)
                      : format("LISTED UNREADABLE name=n version=1\nend\n");

    expect(&as_single, input, told);
    free(input);
    free(told);
}

/* ---- lists -------------------------------------------------------------- */

#define META(name) "{'metadata':{'name':'" name "','resourceVersion':'1'}}"
#define TOLD(name) "LISTED name=" name " version=1\n  " META(name) "\n"

static void test_stream_takes_a_list_in_any_order(void **state)
{
    (void)state;
    expect(&as_list,
           "{'metadata':{'resourceVersion':'7'},'items':[" META("a") "," META(
               "b") "]}",
           TOLD("a") TOLD("b") "end version=7\n");
    expect(&as_list,
           "{'items':[" META(
               "a") "],'kind':'XList',"
                    "'metadata':{'continue':'c','remainingItemCount':3"
                    ",'resourceVersion':'7'},'more':[{'items':[{}]}]}",
           TOLD("a") "end version=7 continue=c\n");
    expect(&as_list, "\n{ 'items' :\t[ " META("a") " ,\r\n" META("b") " ] }\n",
           TOLD("a") TOLD("b") "end\n");
}

static void test_stream_takes_a_list_without_items(void **state)
{
    (void)state;
    expect(&as_list, "{'metadata':{'resourceVersion':'7'},'items':null}",
           "end version=7\n");
    expect(&as_list, "{'metadata':{'resourceVersion':'7'},'items':[]}",
           "end version=7\n");
    expect(&as_list, "{'items':[ ],'metadata':{}}", "end\n");
}

/* Taken for an empty list, these would delete everything. */
static void test_stream_takes_nothing_else_for_a_list(void **state)
{
    static const char *const cases[] = {
        "{}",
        "[]",
        "null",
        "5",
        "'x'",
        "{'metadata':{}}",
        "{'metadata':{'resourceVersion':'7'}}",
        "{'items':{}}",
        "{'items':5}",
        "{'items':'x'}",
        "{'items':false}",
        "{'kind':'Status','items':[]}",
        "{'kind':'Lis','items':[]}",
        "{'kind':'Table','metadata':{'resourceVersion':'7'},'rows':[]}",
        "{'list':{'items':[]},'metadata':{}}",
        "{'metadata':{'resourceVersion':7},'items':[]}",
        "{'items':[],'items':[]}",
        "{'metadata':{'resourceVersion':'7','resourceVersion':'8'}}"
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(&as_list, cases[i], "JSON");
}

static void test_stream_tells_items_that_are_no_objects(void **state)
{
    (void)state;
    expect(&as_list, "{'items':[null,5,'x',[{}]," META("a") ",true]}",
           "LISTED NO_IDENTITY\nLISTED NO_IDENTITY\nLISTED NO_IDENTITY\n"
           "LISTED NO_IDENTITY\n" TOLD("a") "LISTED NO_IDENTITY\nend\n");
}

static void test_stream_holds_or_refuses_a_continue_token(void **state)
{
    char *token = times(CONFIG_KINF_CONTINUE_BYTES, "t");
    char *input = format("{'metadata':{'continue':'%s','resourceVersion'"
                         ":'12'},'items':[" META("a") "]}",
                         token);
    char *told = format(TOLD("a") "end version=12 continue=%s\n", token);

    (void)state;
    expect(&as_list, input, told);
    free(input);
    free(told);
    input = format("{'items':[" META("a") "],'metadata':{'continue':'%sx'"
                                          ",'resourceVersion':'12'}}",
                   token);
    expect(&as_list, input, TOLD("a") "CONTINUE");
    free(input);
    free(token);
}

/* An Event has a message, too: it is no Status, and the token stays. */
static void test_stream_takes_no_object_for_a_status(void **state)
{
    const char *object = "{'metadata':{'name':'n','resourceVersion':'1'},"
                         "'message':'words','code':5,'details':{"
                         "'retryAfterSeconds':3}}";
    char *list = format("{'metadata':{'continue':'c','resourceVersion':'7'},"
                        "'items':[%s]}", object);
    char *told = format("LISTED name=n version=1\n  %s\n"
                        "end version=7 continue=c\n", object);
    char *event = format("{'type':'ADDED','object':%s}", object);
    char *added = format("ADDED name=n version=1\n  %s\n", object);

    (void)state;
    expect(&as_list, list, told);
    expect(&as_watch, event, added);
    free(list);
    free(told);
    free(event);
    free(added);
}

/* ---- watches ------------------------------------------------------------ */

static void test_stream_takes_events_one_after_another(void **state)
{
    (void)state;
    expect(&as_watch,
           "{'type':'ADDED','object':" META(
               "a") "}\n"
                    "{'type':'MODIFIED','object':" META(
                        "b") "}"
                             "{'type':'DELETED','object':" META("c") "}\r\n\t ",
           "ADDED name=a version=1\n  " META(
               "a") "\n"
                    "MODIFIED name=b version=1\n  " META(
                        "b") "\n"
                             "DELETED name=c version=1\n  " META("c") "\n");
    expect(&as_watch, "", "");
    expect(&as_watch, " \n", "");
}

static void test_stream_takes_an_object_before_its_type(void **state)
{
    (void)state;
    expect(&as_watch, "{'object':" META("a") ",'type':'DELETED'}",
           "as UNKNOWN DELETED name=a version=1\n  " META("a") "\n");
    expect(&as_watch,
           "{'object':{'kind':'Status','code':410,'message':"
           "'m'},'type':'ERROR'}",
           "as UNKNOWN ERROR status=410 message=m\n");
}

static void test_stream_counts_unknown_events(void **state)
{
    (void)state;
    expect(&as_watch, "{'type':'PAUSED','object':" META("a") "}",
           "UNKNOWN name=a version=1\n");
    expect(&as_watch, "{'object':" META("a") "}", "UNKNOWN name=a version=1\n");
    expect(&as_watch, "{'type':'ADDED'}", "UNKNOWN NO_IDENTITY\n");
    expect(&as_watch, "{'type':'ADDED','object':null}",
           "as ADDED UNKNOWN NO_IDENTITY\n");
    expect(&as_watch, "{'type':'ADDED','object':[{}]}",
           "as ADDED UNKNOWN NO_IDENTITY\n");
    expect(&as_watch, "{'type':7,'object':" META("a") "}",
           "UNKNOWN name=a version=1\n");
    expect(&as_watch, "{}", "UNKNOWN NO_IDENTITY\n");
    expect(&as_watch,
           "{'x':{'type':'ADDED'},'type':'ADDED','y':[" META(
               "a") "],'object':" META("b") ",'z':0}",
           "ADDED name=b version=1\n  " META("b") "\n");
}

/* Each begins an object: two in one event would be one too many to read. */
static void test_stream_gives_up_an_event_with_two_objects(void **state)
{
    (void)state;
    expect(&as_watch,
           "{'type':'ADDED','object':" META("a") ",'object':" META("a") "}",
           "JSON");
    expect(&as_watch, "{'type':'ADDED','object':null,'object':" META("a") "}",
           "JSON");
    expect(&as_watch, "{'object':'x','object':null}", "JSON");
}

static void test_stream_reads_bookmarks(void **state)
{
    (void)state;
    expect(&as_watch,
           "{'type':'BOOKMARK','object':{'metadata':{'resourceVersion'"
           ":'9','annotations':{'k8s.io/initial-events-end':'true'}}}}"
           "{'type':'BOOKMARK','object':{'metadata':{'resourceVersion'"
           ":'10','annotations':{'k8s.io/initial-events-end':'false'}}}}"
           "{'type':'BOOKMARK','object':{'k8s.io/initial-events-end':"
           "'true','metadata':{'resourceVersion':'11'}}}"
           "{'type':'BOOKMARK','object':{'metadata':{}}}",
           "BOOKMARK version=9 initial-end\nBOOKMARK version=10\n"
           "BOOKMARK version=11\nBOOKMARK UNREADABLE\n");
}

static void test_stream_forgets_an_event_with_the_next(void **state)
{
    (void)state;
    expect(&as_watch,
           "{'type':'ERROR','object':{'code':504,'message':'Too large "
           "resource version: 9','details':{'retryAfterSeconds':2}}}"
           "{'type':'ERROR','object':{'code':410}}"
           "{'type':'ERROR'}{'type':'ADDED','object':" META(
               "a") "}"
                    "{'type':'ADDED','object':{'metadata':{}}}",
           "ERROR status=504 retry=2000 ahead message=Too large resource "
           "version: 9\nERROR status=410\nUNKNOWN NO_IDENTITY\n"
           "ADDED name=a version=1\n  " META("a") "\nADDED NO_IDENTITY\n");
}

/* ---- refusals ----------------------------------------------------------- */

static void test_stream_reads_a_status(void **state)
{
    (void)state;
    expect(&as_status,
           "{'code':403,'message':'no \\'right\\'\\n\\u00e9"
           "\\/'}",
           "end status=403 message=no 'right'\n\u00e9/\n");
    expect(&as_status, "{'reason':'Expired','code':410}", "end status=410\n");
    expect(&as_status, "{'reason':'Gone','code':410}", "end status=410\n");
    expect(&as_status, "{'reason':'Forbidden'}", "end\n");
    expect(&as_status,
           "{'code':-1,'details':{'retryAfterSeconds':99999999"
           "}}",
           "end retry=120000\n");
    expect(&as_status,
           "{'message':'Too large resource version: 1, current: "
           "0'}",
           "end ahead message=Too large resource version: 1"
           ", current: 0\n");
    expect(&as_status,
           "{'details':{'causes':[{'reason':'X','message':"
           "'m'},{'reason':'ResourceVersionTooLarge'}],"
           "'name':'n'}}",
           "end ahead\n");
    expect(&as_status,
           "{'metadata':{'continue':'fresh'},'details':null,"
           "'code':'403','message':5}",
           "end\n");
    expect(&as_status, "{}", "end\n");
    expect(&as_status, "[]", "JSON");
    expect(&as_status, "{'code':}", "JSON");
}

static void test_stream_cuts_a_message_between_characters(void **state)
{
    char *x = times(CONFIG_KINF_MESSAGE_BYTES - 2, "x");
    char *input = format("{'message':'%s\u20ac!','code':400}", x);
    char *told = format("end status=400 message=%s\n", x);

    (void)state;
    expect(&as_status, input, told);
    free(input);
    free(told);
    input = format("{'message':'%syzz'}", x);
    told = format("end message=%syz\n", x);
    expect(&as_status, input, told);
    free(input);
    free(told);
    free(x);
}

/* ---- identity ----------------------------------------------------------- */

static void test_stream_picks_the_identity_at_its_place(void **state)
{
    (void)state;
    expect(&as_single,
           "{'name':'w','metadata':{'uid':'u','labels':{'name':"
           "'x','uid':'y'},'resourceVersion':'2','list':[{'name':"
           "'z'}],'namespace':'s','name':'n'},'spec':{'metadata':{"
           "'name':'v'}},'resourceVersion':'9'}",
           "LISTED name=n namespace=s uid=u version=2\n"
           "  {'name':'w','metadata':{'uid':'u','labels':{'name':"
           "'x','uid':'y'},'resourceVersion':'2','list':[{'name':"
           "'z'}],'namespace':'s','name':'n'},'spec':{'metadata':{"
           "'name':'v'}},'resourceVersion':'9'}\nend\n");
}

static void test_stream_finds_the_identity_behind_much_else(void **state)
{
    struct how quiet = { .mode = JSON_SINGLE, .quiet = true };
    char *x = times(256 * 1024, "x");
    char *input = format("{'metadata':{'annotations':{'a':'%s'},"
                         "'managedFields':[{'%s':{}}],'name':'n',"
                         "'resourceVersion':'1'}}",
                         x, x);
    char *told =
        format("LISTED name=n version=1 size=%zu\nend\n",
               strlen(x) + strlen("{'metadata':{'annotations':{'a':''},"
                                  "'name':'n','resourceVersion':'1'}}"));

    (void)state;
    expect_large(&quiet, input, told);
    free(told);
    free(input);
    free(x);
}

/* What the item tells and what the sink holds are the same bytes: tell_kept
 * compares them. */
static void test_stream_unescapes_the_identity_alone(void **state)
{
    (void)state;
    expect(
        &as_single,
        "{'metadata':{'name':'a\\u003cb\\/\\u00e9\\u20AC\\n\\'\\\\"
        "\\u0000\\ud83d\\ude00\\u0022.','labels':{'\\u003c':'\\u003c\\n'"
        "},'uid':'\\u0041','namespace':'\\u0041\\u0041',"
        "'resourceVersion':'\\u0031'}}",
        "LISTED name=a<b/\u00e9\u20ac\\u000a\\u0022\\u005c\\u0000"
        "\\ud83d\\ude00\\u0022."
        " namespace=AA uid=A version=1\n"
        "  {'metadata':{'name':'a<b/\u00e9\u20ac\\u000a\\u0022\\u005c\\u0000"
        "\\ud83d\\ude00\\u0022.','labels':{'\\u003c':'\\u003c\\n'},'uid':"
        "'A','namespace':'AA','resourceVersion':'1'}}\nend\n");
}

static void test_stream_knows_names_with_escapes(void **state)
{
    (void)state;
    expect(&as_single,
           "{'met\\u0061data':{'\\u006eame':'n','resourceVersio\\u006e':"
           "'1','managed\\u0046ields':[1]}}",
           "LISTED name=n version=1\n  {'met\\u0061data':{'\\u006eame':'n',"
           "'resourceVersio\\u006e':'1'}}\nend\n");
}

static void test_stream_marks_a_broken_identity(void **state)
{
    static const struct {
        const char *metadata, *told;
    } cases[] = {
        { "{'resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':'','resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':null,'resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':5,'resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':{},'resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':'n','namespace':7,'resourceVersion':'1'}",
          "NO_IDENTITY name=n version=1" },
        { "{'name':'\xFF','resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':'a\tb','resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':'a\\xb','resourceVersion':'1'}", "NO_IDENTITY version=1" },
        { "{'name':'n'}", "UNREADABLE name=n" },
        { "{'name':'n','resourceVersion':''}", "UNREADABLE name=n" },
        { "{'name':'n','resourceVersion':1}", "UNREADABLE name=n" },
        { "{'name':'n','resourceVersion':null}", "UNREADABLE name=n" },
        { "{'name':'n','resourceVersion':'1','uid':[1]}",
          "UNREADABLE name=n version=1" },
        { "{'name':'n','name':'n','resourceVersion':'1'}",
          "UNREADABLE name=n version=1" },
        { "{'name':'n','resourceVersion':'1','resourceVersion':'2'}",
          "UNREADABLE name=n version=1" },
        { "{'name':'n','resourceVersion':'1'},'metadata':{}",
          "UNREADABLE name=n version=1" },
        { "{'name':'n','resourceVersion':'1'},'kind':'K','kind':"
          "'K'",
          "UNREADABLE name=n version=1" },
        { "5", "NO_IDENTITY" },
        { "[]", "NO_IDENTITY" },
        { "null", "NO_IDENTITY" }
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *input = format("{'metadata':%s}", cases[i].metadata);
        char *told = format("LISTED %s\nend\n", cases[i].told);

        expect(&as_single, input, told);
        free(input);
        free(told);
    }
    expect(&as_single, "{}", "LISTED NO_IDENTITY\nend\n");
}

static void test_stream_takes_null_for_an_absent_namespace(void **state)
{
    (void)state;
    expect(&as_single,
           "{'metadata':{'uid':null,'name':'n',"
           "'resourceVersion':'1'}}",
           "LISTED name=n version=1\n  {'metadata':{'uid':null,'name':'n',"
           "'resourceVersion':'1'}}\nend\n");
}

static void expect_identity(size_t name, size_t space, size_t uid,
                            size_t version, const char *told)
{
    char *n = times(name, "n"), *s = times(space, "s"), *u = times(uid, "u"),
         *v = times(version, "1");
    char *input = format("{'metadata':{'uid':'%s','resourceVersion':"
                         "'%s','namespace':'%s','name':'%s'}}",
                         u, v, s, n);
    struct how quiet = { .mode = JSON_SINGLE, .quiet = true };
    char *whole =
        format("LISTED name=%s namespace=%s uid=%s version=%s size=%zu"
               "\nend\n",
               n, s, u, v, strlen(input));

    expect(&quiet, input, told == NULL ? whole : told);
    free(whole);
    free(input);
    free(v);
    free(u);
    free(s);
    free(n);
}

static void test_stream_holds_an_identity_or_says_it_is_too_long(void **state)
{
    const size_t all = CONFIG_KINF_IDENTITY_BYTES;

    (void)state;
    expect_identity(253, 63, 36, 20, NULL);
    expect_identity(253, 63, all - 253 - 63 - 20, 20, NULL);
    expect_identity(all - 3, 1, 1, 1, NULL);
    expect_identity(all - 2, 1, 1, 1,
                    "LISTED NO_IDENTITY too-long namespace=s uid=u version=1\n"
                    "end\n");
    expect_identity(
        1, all, 1, 1,
        "LISTED NO_IDENTITY too-long name=n uid=u version=1\nend\n");
    expect_identity(1, 1, all + 1, 1,
                    "LISTED UNREADABLE name=n namespace=s version=1\nend\n");
    expect_identity(1, 1, 1, all + 1,
                    "LISTED UNREADABLE name=n namespace=s uid=u\nend\n");
}

static void test_stream_checks_the_kind(void **state)
{
    static const struct {
        const char *kind, *expected;
        bool good;
    } cases[] = { { "Pod", "Pod", true },      { "Pod", "", true },
                  { "Pod", "Pods", false },    { "Pods", "Pod", false },
                  { "Table", "", false },      { "Status", "", false },
                  { "Table", "Table", false }, { "", "Pod", false } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct how how = as_single;
        char *input = format("{'kind':'%s','metadata':{'name':'n',"
                             "'resourceVersion':'1'},'spec':{'kind':"
                             "'Other'}}",
                             cases[i].kind);
        const char *told =
            cases[i].good ? "LISTED name=n version=1\n  {'metadata':{'name':"
                            "'n','resourceVersion':'1'},'spec':{'kind':"
                            "'Other'}}\nend\n"
                          : "LISTED UNREADABLE name=n version=1\nend\n";

        how.kind =
            (struct kinf_span){ cases[i].expected, strlen(cases[i].expected) };
        expect(&how, input, told);
        free(input);
    }
}

/* ---- what is left out --------------------------------------------------- */

static void test_stream_drops_what_nobody_reads(void **state)
{
    static const char *const dropped[] = {
        "{'managedFields':[{'f:a':{']':'}\\''}}],'name':'n',"
        "'resourceVersion':'1'}",
        "{'name':'n','managedFields':null,'resourceVersion':'1'}",
        "{'name':'n','resourceVersion':'1','managedFields':[1,[2],{}]}",
        "{'managedFields':1,'managedFields':2,'name':'n','managedFields"
        "':3,'resourceVersion':'1','managedFields':true}",
        " { 'managedFields' : [ ] , 'name' : 'n' ,'resourceVersion' "
        ":\t'1'\n}\r"
    };
    static const char *const annotations[] = {
        "{'kubectl.kubernetes.io/last-applied-configuration':'{}\\n','a':"
        "'b'}",
        "{'a':'b','kubectl.kubernetes.io/last-applied-configuration':''}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(dropped); i++) {
        char *input = format("{'metadata':%s}", dropped[i]);

        expect(&as_single, input,
               "LISTED name=n version=1\n  " META("n") "\nend\n");
        free(input);
    }
    for (size_t i = 0; i < COUNT(annotations); i++) {
        char *input = format("{'metadata':{'annotations':%s,'name':'n',"
                             "'resourceVersion':'1'}}",
                             annotations[i]);

        expect(&as_single, input,
               "LISTED name=n version=1\n  {'metadata':{'annotations':{'a':"
               "'b'},'name':'n','resourceVersion':'1'}}\nend\n");
        free(input);
    }
}

static void test_stream_keeps_the_same_names_elsewhere(void **state)
{
    (void)state;
    expect_member("{'managedFields':[],'kubectl.kubernetes.io/last-applied-"
                  "configuration':'','metadata':{'managedFields':[]}}",
                  true);
    expect(&as_single,
           "{'managedFields':1,'metadata':{'name':'n','resourceVersion':"
           "'1','managedField':2,'managedFieldsX':3,'labels':{'kubectl."
           "kubernetes.io/last-applied-configuration':''}}}",
           "LISTED name=n version=1\n  {'managedFields':1,'metadata':{'name':"
           "'n','resourceVersion':'1','managedField':2,'managedFieldsX':"
           "3,'labels':{'kubectl.kubernetes.io/last-applied-configuration':"
           "''}}}\nend\n");
}

static const char kept_from[] =
    "{'apiVersion':'v1','kind':'K','metadata':{'annotations':{'a.b':"
    "'1','kubectl.kubernetes.io/last-applied-configuration':'x'},"
    "'creationTimestamp':null,'labels':{'l':'m'},'managedFields':[],"
    "'name':'n','namespace':'s','resourceVersion':'1','uid':'u'},"
    "'data':{'x':'1','a.b':'2','a':{'b':3}},'spec':{'nodeName':"
    "'o','list':[{'nodeName':'p'}],'deep':{'er':{'data':4}}},"
    "'status':{}}";

static void expect_kept(const struct kinf_span *keep, uint32_t count,
                        const char *metadata, const char *rest)
{
    struct how how = { .mode = JSON_SINGLE, .keep = keep, .keep_count = count };
    char *told = format("LISTED name=n namespace=s uid=u version=1\n  "
                        "{'metadata':{%s'name':'n','namespace':'s',"
                        "'resourceVersion':'1','uid':'u'}%s}\nend\n",
                        metadata, rest);

    expect(&how, kept_from, told);
    free(told);
}

static void test_stream_keeps_what_a_path_names(void **state)
{
    static const struct {
        const char *path, *metadata, *rest;
    } cases[] = {
        { "nothing", "", "" },
        { "data", "", ",'data':{'x':'1','a.b':'2','a':{'b':3}}" },
        { "dat", "", "" },
        { "data.x", "", ",'data':{'x':'1'}" },
        { "data.a\\.b", "", ",'data':{'a.b':'2'}" },
        { "data.a.b", "", ",'data':{'a':{'b':3}}" },
        { "data.x.y", "", ",'data':{}" },
        { "data.x\\", "", ",'data':{}" }, /* a slip of the pen */
        { "data.a\\.b.c", "", ",'data':{}" },
        { "status", "", ",'status':{}" },
        { "spec.nodeName", "", ",'spec':{'nodeName':'o'}" },
        { "spec.list", "", ",'spec':{'list':[{'nodeName':'p'}]}" },
        { "spec.list.nodeName", "", ",'spec':{}" },
        { "spec.deep.er.data", "", ",'spec':{'deep':{'er':{'data':4}}}" },
        { "metadata.labels", "'labels':{'l':'m'},", "" },
        { "metadata.annotations", "'annotations':{'a.b':'1'},", "" },
        { "metadata.annotations.a\\.b", "'annotations':{'a.b':'1'},", "" },
        { "metadata.managedFields", "", "" },
        { "metadata.name", "", "" },
        { "metadata",
          "'annotations':{'a.b':'1'},'creationTimestamp':null,"
          "'labels':{'l':'m'},",
          "" },
        { "", "", "" }
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kinf_span keep = { cases[i].path, strlen(cases[i].path) };

        expect_kept(&keep, 1, cases[i].metadata, cases[i].rest);
    }
}

/* No name we know, and none that begins like one. */
static void test_stream_passes_over_names_of_any_length(void **state)
{
    char *name = format("name%0200d", 1);
    char *input = format("{'%s':1,'metadata':{'%s':2,'name':'n',"
                         "'resourceVersion':'1'}}", name, name);
    char *told = format("LISTED name=n version=1\n  %s\nend\n", input);

    (void)state;
    expect(&as_single, input, told);
    free(told);
    free(input);
    free(name);
}

static void test_stream_refuses_brackets_that_close_nothing(void **state)
{
    static const char *const inputs[] = { "}", "]", " }" };
    static const struct how *const ways[] = { &as_list, &as_watch, &as_single,
                                              &as_status };

    (void)state;
    for (size_t i = 0; i < COUNT(inputs); i++)
        for (size_t n = 0; n < COUNT(ways); n++)
            expect(ways[n], inputs[i], "JSON");
    expect(&as_watch, "{'type':'BOOKMARK','object':{'metadata':{"
           "'resourceVersion':'1'}}}}", "BOOKMARK version=1\nJSON");
}

/* Outside of an object paths decide nothing. */
static void test_stream_passes_over_what_stands_beside_objects(void **state)
{
    const struct kinf_span keep = KINF_SPAN("a");
    struct how how = { .mode = JSON_LIST, .keep = &keep, .keep_count = 1 };

    (void)state;
    expect(&how, "{'x':{'y':{'a':'a text','z':['b',1]}},'items':[],"
           "'metadata':{'resourceVersion':'7'}}", "end version=7\n");
}

/* Names with dots and names that look like the path so far. */
static void test_stream_follows_a_path_by_whole_names(void **state)
{
    static const struct {
        const char *path, *kept;
    } cases[] = {
        { "a\\.b.c", ",'a.b':{'c':1}" },
        { "a\\.b.d.e", ",'a.b':{'d':{'e':3}}" },
        { "xy\\", "" }, /* a slip of the pen */
        { "x", ",'x':{'y':5}" },
        { "x.y.z", ",'x':{}" },
        { "a.b", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct kinf_span keep = { cases[i].path,
                                        strlen(cases[i].path) };
        struct how how = { .mode = JSON_SINGLE, .keep = &keep,
                           .keep_count = 1 };
        char *told = format("LISTED name=n version=1\n  {'metadata':{'name':"
                            "'n','resourceVersion':'1'}%s}\nend\n",
                            cases[i].kept);

        expect(&how, "{'metadata':{'name':'n','resourceVersion':'1'},'a.b':{"
               "'c':1,'d':{'f':2,'e':3},'cc':4},'x':{'y':5},'xyz':6}", told);
        free(told);
    }
}

#if CONFIG_KINF_KEEP_PATHS >= 4
static void test_stream_keeps_what_several_paths_name(void **state)
{
    const struct kinf_span keep[] = { KINF_SPAN("data.x"),
                                      KINF_SPAN("metadata.labels"),
                                      KINF_SPAN("spec.deep.er"),
                                      KINF_SPAN("data.a") };
    const struct kinf_span nested[] = { KINF_SPAN("data.a.b"),
                                        KINF_SPAN("data") };

    (void)state;
    expect_kept(keep, 4, "'labels':{'l':'m'},",
                ",'data':{'x':'1','a':{'b':3}},'spec':{'deep':{'er':"
                "{'data':4}}}");
    expect_kept(nested, 2, "", ",'data':{'x':'1','a.b':'2','a':{'b':3}}");
}
#endif

static void test_stream_reads_bookmarks_whatever_is_kept(void **state)
{
    struct kinf_span keep = KINF_SPAN("data");
    struct how how = { .mode = JSON_WATCH, .keep = &keep, .keep_count = 1 };

    (void)state;
    expect(&how,
           "{'type':'BOOKMARK','object':{'metadata':{'annotations':{"
           "'k8s.io/initial-events-end':'true'},'resourceVersion':'9'}}}"
           "{'type':'ERROR','object':{'details':{'retryAfterSeconds':1},"
           "'code':429}}",
           "BOOKMARK version=9 initial-end\nERROR status=429 retry=1000\n");
}

/* ---- values ------------------------------------------------------------- */

static void test_stream_checks_literals(void **state)
{
    static const char *const good[] = { "0",
                                        "-0",
                                        "1",
                                        "10",
                                        "-12.50",
                                        "0.0",
                                        "1e5",
                                        "1E+05",
                                        "2.5e-10",
                                        "true",
                                        "false",
                                        "null",
                                        "{}",
                                        "[]",
                                        "[[]]",
                                        "[1,2]",
                                        "[{},{}]",
                                        "''",
                                        "{'':0}",
                                        "{'a':[{'b':null}]}",
                                        "[true,false,null,-1]" };
    static const char *const bad[] = {
        "01",        "-",     "+1",        "1.",       ".5",    "1e",
        "1e+",       "--1",   "1.2.3",     "0x1",      "1-2",   "1ee5",
        "-a",        "NaN",   "Infinity",  "tru",      "trux",  "nul",
        "nulll",     "True",  "falsey",    "",         "x",     "[1,]",
        "[,1]",      "[1 2]", "['a' 'b']", "[1:2]",    "{'a'}", "{'a':}",
        "{'a':1,}",  "{,}",   "{'a' 1}",   "{'a'::1}", "{1:2}", "{'a':1 'b':2}",
        "{'a','b'}", "{[]}",  "{'a':1:2}", "[{}{}]",   "1 2",   ":",
        "[}]"
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        expect_member(good[i], true);
    for (size_t i = 0; i + 1 < COUNT(bad); i++)
        expect_member(bad[i], false);
}

static void test_stream_checks_strings(void **state)
{
    static const char *const good[] = {
        "\\'",
        "\\\\\\/\\b\\f\\n\\r\\t",
        "\\u0000\\uABCD\\uabcd\\ud800",
        "\x7F",
        "\xC2\x80\xDF\xBF",
        "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
        "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF",
        "a\u20acb",
        "12345678{}[],:"
    };
    static const char *const bad[] = { "\\x",
                                       "\\u12",
                                       "\\u12g4",
                                       "\\uxyz1",
                                       "\\U0041",
                                       "\\q",
                                       "a\nb",
                                       "\t",
                                       "\x1F",
                                       "\x01 12345678",
                                       "\x80",
                                       "\xBF",
                                       "\xC0\x80",
                                       "\xC1\xBF",
                                       "\xC2",
                                       "\xC2z",
                                       "\xE0\x9F\xBF",
                                       "\xED\xA0\x80",
                                       "\xE2\x82",
                                       "\xE2z",
                                       "\xF0\x8F\xBF\xBF",
                                       "\xF4\x90\x80\x80",
                                       "\xF5\x80\x80\x80",
                                       "\xFE",
                                       "\xFF",
                                       "\xF0\x90\x80",
                                       "1234567\xFF",
                                       "\xE2\x82\\n" };

    (void)state;
    for (size_t i = 0; i < COUNT(good) + COUNT(bad); i++) {
        bool is_good = i < COUNT(good);
        const char *text = is_good ? good[i] : bad[i - COUNT(good)];
        char *value = format("'%s'", text), *key = format("{'%s':0}", text);

        expect_member(value, is_good);
        expect_member(key, is_good);
        free(value);
        free(key);
    }
}

/* Several bytes are looked at at once: each byte, at each place among them. */
static void expect_byte(unsigned c, size_t place)
{
    char input[] = "{'metadata':{'name':'n','resourceVersion':'1'},"
                   "'x':'aaaaaaaaaaaaaaaaa','y':[]}";
    char told[256] = "LISTED UNREADABLE name=n version=1\nend\n";
    struct how how = as_single;
    struct feeder f;

    quote(input);
    strchr(input, 'x')[4 + place] = (char)c;
    if (c >= 0x20 && c < 0x80 && c != '\\')
        snprintf(told, sizeof(told), "LISTED name=n version=1\n  %s\nend\n",
                 input);
    f = feeder_of((struct kinf_span){ input, sizeof(input) - 1 });
    feed_cut(run, &how, &f, sizeof(input) - 1, 1, told);
    feed_cut(run, &how, &f, 50, 9, told);
    feeder_free(&f);
}

static void test_stream_sees_every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        for (size_t place = 0; place < 17; place++)
            if (c != '"' && (c != '\\' || place < 16))
                expect_byte(c, place);
}

static void expect_large_value(const char *value)
{
    char *input = format("{'metadata':{'name':'n','resourceVersion':"
                         "'1'},'x':%s}",
                         value);
    char *told = format("LISTED name=n version=1\n  %s\nend\n", input);

    expect_large(&as_single, input, told);
    free(input);
    free(told);
}

static void expect_repeated(const char *start, size_t n, const char *filler,
                            const char *end)
{
    char *many = times(n, filler), *value = format("%s%s%s", start, many, end);

    expect_large_value(value);
    free(value);
    free(many);
}

static void test_stream_takes_what_is_legal_but_unusual(void **state)
{
    char *open = times(3000, "[{'a':"), *close = times(3000, "}]");
    char *nested = format("%s[[],{},'s',1,true,{'k':[0]}]%s", open, close);

    (void)state;
    expect_member("'nul:\\u0000'", true);
    expect_repeated("", 10000, "1", "");
    expect_repeated("1.", 10000, "0", "");
    expect_repeated("'", 1 << 20, "\\u003c", "'");
    expect_repeated("[0", 10000, ",0", "]");
    expect_repeated("{'", 100000, "k", "':0}");
    expect_large_value(nested);
    free(open);
    free(close);
    free(nested);
}

static void test_stream_takes_every_depth(void **state)
{
    (void)state;
    for (size_t depth = 55; depth < 75; depth++) {
        char *open = times(depth, "["), *close = times(depth, "]");
        char *value = format("%s'a',{'b':[1,{}],'c':null}%s", open, close);

        expect_member(value, true);
        free(value);
        value = format("{'a':%s%s,'b':{}}", open, close);
        expect_member(value, true);
        free(value);
        free(open);
        free(close);
    }
}

static void test_stream_drops_what_is_deep(void **state)
{
    char *open = times(100, "[{'a':"), *close = times(100, "}]");
    char *input = format("{'metadata':{'managedFields':%s[1,2]%s,'name':"
                         "'n','resourceVersion':'1'}}",
                         open, close);

    (void)state;
    expect(&as_single, input,
           "LISTED name=n version=1\n  " META("n") "\nend\n");
    free(input);
    free(open);
    free(close);
}

/* ---- broken ------------------------------------------------------------- */

/* The objects around a broken one are whole. */
static void test_stream_loses_a_broken_object_alone(void **state)
{
    static const struct {
        const char *object, *told;
    } cases[] = { { "{'metadata':{'name':'b','resourceVersion':'2'},'x':tru}",
                    "UNREADABLE name=b version=2" },
                  { "{'x':'\xFF','metadata':{'name':'b','resourceVersion':'2'"
                    "}}",
                    "UNREADABLE name=b version=2" },
                  { "{'x':01,'metadata':{'name':'b' 'resourceVersion':'2'}}",
                    "UNREADABLE name=b version=2" },
                  { "{'x':{'y'},'metadata':{'name':'b','resourceVersion':'2',"
                    "}}",
                    "UNREADABLE name=b version=2" },
                  { "{'metadata':{'name':'b'}}", "UNREADABLE name=b" },
                  { "{'metadata':{}}", "NO_IDENTITY" },
                  { "{'kind':'Other','metadata':{'name':'b','resourceVersion':"
                    "'2'}}",
                    "UNREADABLE name=b version=2" } };
    struct how list = as_list, watch = as_watch;

    (void)state;
    list.kind = watch.kind = KINF_SPAN("ConfigMap");
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *input = format("{'items':[" META("a") ",%s," META("c") "]}",
                             cases[i].object);
        char *told =
            format(TOLD("a") "LISTED %s\n" TOLD("c") "end\n", cases[i].told);

        expect(&list, input, told);
        free(input);
        free(told);
        input = format("{'type':'ADDED','object':%s}\n{'type':'ADDED',"
                       "'object':" META("a") "}",
                       cases[i].object);
        told = format("ADDED %s\nADDED name=a version=1\n  " META("a") "\n",
                      cases[i].told);
        expect(&watch, input, told);
        free(input);
        free(told);
    }
}

static void test_stream_loses_framing(void **state)
{
    static const struct {
        enum json_mode mode;
        const char *input, *told;
    } cases[] = {
        { JSON_LIST, "{'items':[" META("a") "}", TOLD("a") "JSON" },
        { JSON_LIST, "{'items':[{'a':[}]}]}", "JSON" },
        { JSON_LIST, "{'items':[{'a':{]}}]}", "JSON" },
        { JSON_LIST, "{'items':[{}}", "LISTED NO_IDENTITY\nJSON" },
        { JSON_LIST, "{'items':[" META("a") " " META("b") "]}",
          TOLD("a") "JSON" },
        { JSON_LIST, "{'items':[" META("a") ",]}", TOLD("a") "JSON" },
        { JSON_LIST, "{'items':[,]}", "JSON" },
        { JSON_LIST, "{'items':[x]}", "JSON" },
        { JSON_LIST, "{'items':nul}", "JSON" },
        { JSON_LIST, "{'a':'\xFF','items':[]}", "JSON" },
        { JSON_LIST, "{'a':'\\x','items':[]}", "JSON" },
        { JSON_LIST, "{'a':1.,'items':[]}", "JSON" },
        { JSON_LIST, "{'items':[],}", "JSON" },
        { JSON_LIST, "{'items':[]}{}", "end\nJSON" },
        { JSON_LIST, "{'items':[]}]", "end\nJSON" },
        { JSON_LIST, "}", "JSON" },
        { JSON_LIST, "<html>", "JSON" },
        { JSON_LIST, "\xEF\xBB\xBF{'items':[]}", "JSON" },
        { JSON_WATCH, "{'type':'ADDED'},{}", "UNKNOWN NO_IDENTITY\nJSON" },
        { JSON_WATCH, "{'type':'ADDED'}]", "UNKNOWN NO_IDENTITY\nJSON" },
        { JSON_WATCH, "{'type':'ADDED'}0", "UNKNOWN NO_IDENTITY\nJSON" },
        { JSON_WATCH, "[]", "JSON" },
        { JSON_WATCH, "null", "JSON" },
        { JSON_WATCH, "{'type':'ADDED' 'object':{}}", "JSON" },
        { JSON_WATCH, "{'type' 'ADDED'}", "JSON" },
        { JSON_WATCH, "{'type':'ADDED','type':'ADDED'}", "JSON" },
        { JSON_WATCH, "{'type':'ADDED','object':{},'object':{}}", "JSON" },
        { JSON_SINGLE, META("a") "x", TOLD("a") "end\nJSON" },
        { JSON_SINGLE, "[]", "JSON" },
        { JSON_SINGLE, "{]", "JSON" },
        { JSON_SINGLE, "{'a':[1}", "JSON" }
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct how how = { .mode = cases[i].mode };

        expect(&how, cases[i].input, cases[i].told);
    }
}

static void test_stream_knows_when_a_watch_was_cut(void **state)
{
    char event[] = "{'type':'ADDED','object':" META("a") "}";
    struct how how = as_watch;

    (void)state;
    quote(event);
    for (size_t n = 1; n < sizeof(event) - 1; n++) {
        struct kinf_span span = { event, n };
        struct feeder f = feeder_of(span);

        feed_cut(run, &how, &f, n, 1, "inside");
        feed_cut(run, &how, &f, 1, 1, "inside");
        feeder_free(&f);
    }
}

/* ---- sinks -------------------------------------------------------------- */

static void test_stream_counts_what_it_cannot_keep(void **state)
{
    const char *input =
        "{'items':[{'metadata':{'managedFields':[1],'name':'a',"
        "'annotations':{'kubectl.kubernetes.io/last-applied-configuration':"
        "'x'},'resourceVersion':'1'}},{'metadata':{'name':'b\\u0062',"
        "'resourceVersion':'2','managedFields':[]}, 'x' : 0}]}";
    const char *first = "{'metadata':{'name':'a','annotations':{},"
                        "'resourceVersion':'1'}}";
    const char *second = "{'metadata':{'name':'bb','resourceVersion':"
                         "'2'},'x':0}";

    (void)state;
    for (size_t size = 1; size < strlen(first) + 3; size++) {
        struct how how = { .mode = JSON_LIST, .sink_size = size };
        char *one = size < strlen(first) ? format(" too-big=%zu", strlen(first))
                                         : format("\n  %s", first);
        char *two = size < strlen(second)
                        ? format(" too-big=%zu", strlen(second))
                        : format("\n  %s", second);
        char *told =
            format("LISTED name=a version=1%s\nLISTED name=bb version=2"
                   "%s\nend\n",
                   one, two);

        expect(&how, input, told);
        free(one);
        free(two);
        free(told);
    }
}

/* ---- random ------------------------------------------------------------- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

/* Writes the same text to both, and perhaps space to the first. */
static void put_both(struct told *in, struct told *out, const char *text)
{
    static const char *const spaces[] = { "", "", "", "", " ", "\n", "\t\r  " };

    tell(in, text);
    if (out != NULL)
        tell(out, text);
    tell(in, spaces[draw(COUNT(spaces))]);
}

static void put_string(struct told *in, struct told *out)
{
    static const char *const parts[] = {
        "a",    "managedFields", "name",         "\\u003c", "\\'",
        "\\\\", "{}[],:",        "\u00e9\u20ac", " ",       "0123456789abcdef"
    };
    struct told text = { NULL, 0, 0 };

    tell(&text, "'");
    for (uint32_t n = draw(5); n > 0; n--)
        tell(&text, parts[draw(COUNT(parts))]);
    tell(&text, "'");
    put_both(in, out, text.text);
    free(text.text);
}

static void put_value(struct told *in, struct told *out, unsigned depth)
{
    static const char *const scalars[] = { "0", "-1.5e3", "true", "null" };
    uint32_t what = draw(depth == 0 ? 3 : 6), n = draw(4);

    if (what < 2) {
        put_string(in, out);
    } else if (what == 2) {
        put_both(in, out, scalars[draw(COUNT(scalars))]);
    } else if (what == 3) {
        put_both(in, out, "[");
        for (uint32_t i = 0; i < n; i++) {
            if (i > 0)
                put_both(in, out, ",");
            put_value(in, out, depth - 1);
        }
        put_both(in, out, "]");
    } else {
        put_both(in, out, "{");
        for (uint32_t i = 0; i < n; i++) {
            if (i > 0)
                put_both(in, out, ",");
            put_string(in, out);
            put_both(in, out, ":");
            put_value(in, out, depth - 1);
        }
        put_both(in, out, "}");
    }
}

/* A member of metadata: kept with its comma, or not kept. */
static void put_member(struct told *in, struct told *out, const char *name,
                       const char *value, bool kept, bool *first_in,
                       bool *first_out)
{
    if (!*first_in)
        put_both(in, NULL, ",");
    if (kept && !*first_out)
        tell(out, ",");
    *first_in = false;
    *first_out = *first_out && !kept;
    put_both(in, kept ? out : NULL, name);
    put_both(in, kept ? out : NULL, ":");
    if (value != NULL)
        put_both(in, kept ? out : NULL, value);
    else
        put_value(in, kept ? out : NULL, 3);
}

static void put_metadata(struct told *in, struct told *out)
{
    bool first_in = true, first_out = true;
    uint32_t name = draw(5), version = draw(5);

    put_both(in, out, "{");
    for (uint32_t i = 0; i < 5; i++) {
        if (draw(2) == 0)
            put_member(in, out, "'managedFields'", NULL, false, &first_in,
                       &first_out);
        if (draw(2) == 0)
            put_member(in, out, "'labels'", NULL, true, &first_in, &first_out);
        if (i == name)
            put_member(in, out, "'name'", "'n'", true, &first_in, &first_out);
        if (i == version)
            put_member(in, out, "'resourceVersion'", "'1'", true, &first_in,
                       &first_out);
    }
    put_both(in, out, "}");
}

static void put_object(struct told *in, struct told *told)
{
    struct told out = { NULL, 0, 0 };

    tell(told, "LISTED name=n version=1\n  ");
    put_both(in, &out, "{");
    if (draw(2) == 0) {
        put_both(in, &out, "'spec':");
        put_value(in, &out, 5);
        put_both(in, &out, ",");
    }
    put_both(in, &out, "'metadata':");
    put_metadata(in, &out);
    if (draw(2) == 0) {
        put_both(in, &out, ",'data':");
        put_value(in, &out, 5);
    }
    put_both(in, &out, "}");
    tell(told, out.text);
    tell(told, "\n");
    free(out.text);
}

/* A list and what is told of it. */
static void put_list(struct told *in, struct told *told)
{
    tell(in, "");
    tell(told, "");
    put_both(in, NULL, "{'items':[");
    for (uint32_t n = 1 + draw(3), i = 0; i < n; i++) {
        if (i > 0)
            put_both(in, NULL, ",");
        put_object(in, told);
    }
    put_both(in, NULL, "]}");
    tell(told, "end\n");
}

static void test_stream_agrees_with_a_writer(void **state)
{
    (void)state;
    for (uint32_t round = 1; round <= 300; round++) {
        struct told in = { NULL, 0, 0 }, told = { NULL, 0, 0 };
        struct how how = as_list;
        struct feeder f;

        seed = round * 2654435761u;
        put_list(&in, &told);
        quote(in.text);
        quote(told.text);
        f = feeder_of((struct kinf_span){ in.text, in.len });
        feed_cut(run, &how, &f, in.len, 1, told.text);
        feed_cut(run, &how, &f, 1, 1, told.text);
        for (unsigned i = 0; i < 20; i++)
            feed_cut(run, &how, &f, 1 + draw((uint32_t)in.len), 1 + draw(64),
                     told.text);
        feeder_free(&f);
        free(in.text);
        free(told.text);
    }
}

/* Of damaged input the same is told however it is cut. */
static void test_stream_tells_the_same_of_damage(void **state)
{
    static const char bytes[] = "{}[],:'\\ntu0 \x80\xE2\x82\x01";

    (void)state;
    for (uint32_t round = 1; round <= 3000; round++) {
        struct told in = { NULL, 0, 0 }, first = { NULL, 0, 0 };
        struct how how = { .mode = (enum json_mode)(round % 4) };
        struct feeder f;

        seed = round * 2246822519u;
        put_list(&in, &first);
        quote(in.text);
        for (uint32_t n = 1 + draw(3); n > 0; n--)
            in.text[draw((uint32_t)in.len)] =
                bytes[draw((uint32_t)sizeof(bytes) - 1)];
        f = feeder_of((struct kinf_span){ in.text, in.len });
        feeder_cut(&f, in.len, 1);
        first.len = 0;
        tell(&first, "");
        run(&how, &f, &first);
        feed_cut(run, &how, &f, 1, 1, first.text);
        feed_cut(run, &how, &f, 1 + draw((uint32_t)in.len), 1 + draw(64),
                 first.text);
        feeder_free(&f);
        free(in.text);
        free(first.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_takes_a_list_in_any_order),
        cmocka_unit_test(test_stream_takes_a_list_without_items),
        cmocka_unit_test(test_stream_takes_nothing_else_for_a_list),
        cmocka_unit_test(test_stream_tells_items_that_are_no_objects),
        cmocka_unit_test(test_stream_holds_or_refuses_a_continue_token),
        cmocka_unit_test(test_stream_takes_no_object_for_a_status),
        cmocka_unit_test(test_stream_takes_events_one_after_another),
        cmocka_unit_test(test_stream_takes_an_object_before_its_type),
        cmocka_unit_test(test_stream_counts_unknown_events),
        cmocka_unit_test(test_stream_gives_up_an_event_with_two_objects),
        cmocka_unit_test(test_stream_reads_bookmarks),
        cmocka_unit_test(test_stream_forgets_an_event_with_the_next),
        cmocka_unit_test(test_stream_reads_a_status),
        cmocka_unit_test(test_stream_cuts_a_message_between_characters),
        cmocka_unit_test(test_stream_picks_the_identity_at_its_place),
        cmocka_unit_test(test_stream_finds_the_identity_behind_much_else),
        cmocka_unit_test(test_stream_unescapes_the_identity_alone),
        cmocka_unit_test(test_stream_knows_names_with_escapes),
        cmocka_unit_test(test_stream_marks_a_broken_identity),
        cmocka_unit_test(test_stream_takes_null_for_an_absent_namespace),
        cmocka_unit_test(test_stream_holds_an_identity_or_says_it_is_too_long),
        cmocka_unit_test(test_stream_checks_the_kind),
        cmocka_unit_test(test_stream_drops_what_nobody_reads),
        cmocka_unit_test(test_stream_keeps_the_same_names_elsewhere),
        cmocka_unit_test(test_stream_keeps_what_a_path_names),
        cmocka_unit_test(test_stream_passes_over_names_of_any_length),
        cmocka_unit_test(test_stream_refuses_brackets_that_close_nothing),
        cmocka_unit_test(test_stream_passes_over_what_stands_beside_objects),
        cmocka_unit_test(test_stream_follows_a_path_by_whole_names),
#if CONFIG_KINF_KEEP_PATHS >= 4
        cmocka_unit_test(test_stream_keeps_what_several_paths_name),
#endif
        cmocka_unit_test(test_stream_reads_bookmarks_whatever_is_kept),
        cmocka_unit_test(test_stream_checks_literals),
        cmocka_unit_test(test_stream_checks_strings),
        cmocka_unit_test(test_stream_sees_every_byte_at_every_place),
        cmocka_unit_test(test_stream_takes_what_is_legal_but_unusual),
        cmocka_unit_test(test_stream_takes_every_depth),
        cmocka_unit_test(test_stream_drops_what_is_deep),
        cmocka_unit_test(test_stream_loses_a_broken_object_alone),
        cmocka_unit_test(test_stream_loses_framing),
        cmocka_unit_test(test_stream_knows_when_a_watch_was_cut),
        cmocka_unit_test(test_stream_counts_what_it_cannot_keep),
        cmocka_unit_test(test_stream_agrees_with_a_writer),
        cmocka_unit_test(test_stream_tells_the_same_of_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

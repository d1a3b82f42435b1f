/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wnet-secret: one action on the user's Secret Service for wnetd, which starts it (core/keyring.c). Not for use by hand.
 *
 *   wnet-secret store DEVICE SERVER USER     the password comes on standard input
 *   wnet-secret lookup DEVICE SERVER USER    the password goes to standard output
 *   wnet-secret clear DEVICE [SERVER USER]   all that match
 *
 * It exits with an enum keyring_result; standard error has one line for people. Always true: no dialogue is ever opened, a
 * keyring that is locked is an answer.
 */

#include <libsecret/secret.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/keyring.h"

#define LIFE_SECONDS 10 /* should wnetd be gone, which ends us earlier */

/* ---- a service that asks nobody ---- */

typedef SecretService QuietService;
typedef SecretServiceClass QuietServiceClass;

GType quiet_service_get_type(void);
G_DEFINE_TYPE(QuietService, quiet_service, SECRET_TYPE_SERVICE)

static void refuse_prompt(SecretService *service, SecretPrompt *prompt, const GVariantType *type, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer userdata)
{
        GTask *task = g_task_new(service, cancellable, callback, userdata);

        (void) prompt;
        (void) type;
        g_task_return_new_error(task, SECRET_ERROR, SECRET_ERROR_IS_LOCKED, "it wants to ask");
        g_object_unref(task);
}

static GVariant *finish_prompt(SecretService *service, GAsyncResult *result, GError **error)
{
        (void) service;
        return g_task_propagate_pointer(G_TASK(result), error);
}

static GVariant *refuse_prompt_sync(SecretService *service, SecretPrompt *prompt, GCancellable *cancellable, const GVariantType *type,
                                    GError **error)
{
        (void) service;
        (void) prompt;
        (void) cancellable;
        (void) type;
        g_set_error_literal(error, SECRET_ERROR, SECRET_ERROR_IS_LOCKED, "it wants to ask");
        return NULL;
}

static void quiet_service_class_init(QuietServiceClass *class)
{
        class->prompt_sync = refuse_prompt_sync;
        class->prompt_async = refuse_prompt;
        class->prompt_finish = finish_prompt;
}

static void quiet_service_init(QuietService *service)
{
        (void) service;
}

/* ---- answers ---- */

static int fail(enum keyring_result result, const char *text)
{
        fprintf(stderr, "%s\n", text);
        return result;
}

static int locked(void)
{
        return fail(KEYRING_LOCKED, "the keyring is locked");
}

/* Ends with what went wrong, which is freed. */
static int failed(GError *error /* takes */)
{
        int result = KEYRING_FAILED;

        if (g_error_matches(error, SECRET_ERROR, SECRET_ERROR_IS_LOCKED))
                result = locked();
        else {
                g_dbus_error_strip_remote_error(error);
                fprintf(stderr, "the Secret Service refused: %s\n", error->message);
        }
        g_error_free(error);
        return result;
}

/* ---- actions ---- */

static const SecretSchema schema = {
        "org.wnet.Password",
        SECRET_SCHEMA_NONE,
        {
                { "device", SECRET_SCHEMA_ATTRIBUTE_STRING },
                { "server", SECRET_SCHEMA_ATTRIBUTE_STRING },
                { "user", SECRET_SCHEMA_ATTRIBUTE_STRING },
                { NULL, 0 },
        },
        0, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
};

static GHashTable *attributes_of(const struct keyring_key *key)
{
        GHashTable *attributes = g_hash_table_new(g_str_hash, g_str_equal);

        g_hash_table_insert(attributes, (char *) "device", (char *) key->device);
        if (key->server)
                g_hash_table_insert(attributes, (char *) "server", (char *) key->server);
        if (key->user)
                g_hash_table_insert(attributes, (char *) "user", (char *) key->user);
        return attributes;
}

/* All of standard input, which the caller erases. Its size, or −1: too long for a password. */
static ssize_t read_password(char bytes[SECRET_MAX_BYTES + 1])
{
        size_t size_bytes = 0;
        ssize_t n;

        while ((n = read(STDIN_FILENO, bytes + size_bytes, SECRET_MAX_BYTES + 1 - size_bytes)) > 0)
                size_bytes += (size_t) n;
        return n < 0 || size_bytes > SECRET_MAX_BYTES ? -1 : (ssize_t) size_bytes;
}

static int create_item(SecretCollection *collection, const struct keyring_key *key, SecretValue *value)
{
        char *label = g_strdup_printf("Network drive %s on %s", key->device, key->server);
        GHashTable *attributes = attributes_of(key);
        GError *error = NULL;
        SecretItem *item = secret_item_create_sync(collection, &schema, attributes, label, value, SECRET_ITEM_CREATE_REPLACE, NULL, &error);

        g_hash_table_unref(attributes);
        g_free(label);
        if (!item)
                return failed(error);
        g_object_unref(item);
        return KEYRING_DONE;
}

static int store(SecretService *service, const struct keyring_key *key)
{
        char bytes[SECRET_MAX_BYTES + 1];
        ssize_t size_bytes = read_password(bytes);
        SecretCollection *collection;
        SecretValue *value;
        GError *error = NULL;
        int result;

        if (size_bytes < 0)
                return fail(KEYRING_FAILED, "the password cannot be read from standard input");
        value = secret_value_new(bytes, size_bytes, "text/plain"); /* in memory that is not swapped out, and erased */
        explicit_bzero(bytes, sizeof(bytes));
        collection = secret_collection_for_alias_sync(service, SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, NULL, &error);
        if (error)
                result = failed(error);
        else if (!collection)
                result = fail(KEYRING_FAILED, "there is no default keyring");
        else if (secret_collection_get_locked(collection))
                result = locked();
        else
                result = create_item(collection, key, value);
        g_clear_object(&collection);
        secret_value_unref(value);
        return result;
}

/* Why nothing was found: some services do not show what a locked keyring has. */
static int not_found(SecretService *service)
{
        SecretCollection *collection =
                secret_collection_for_alias_sync(service, SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, NULL, NULL);
        bool is_locked = collection && secret_collection_get_locked(collection);

        g_clear_object(&collection);
        return is_locked ? locked() : fail(KEYRING_NOT_FOUND, "the keyring has no password for it");
}

static int print_secret(SecretItem *item)
{
        GError *error = NULL;
        SecretValue *value;
        const char *bytes;
        gsize size_bytes;
        bool written;

        if (secret_item_get_locked(item))
                return locked();
        if (!secret_item_load_secret_sync(item, NULL, &error))
                return failed(error);
        value = secret_item_get_secret(item);
        if (!value)
                return locked();
        bytes = secret_value_get(value, &size_bytes);
        written = size_bytes <= SECRET_MAX_BYTES && write(STDOUT_FILENO, bytes, size_bytes) == (ssize_t) size_bytes;
        secret_value_unref(value);
        return written ? KEYRING_DONE : fail(KEYRING_FAILED, "what the keyring has for it is not a password");
}

static int delete_item(SecretItem *item)
{
        GError *error = NULL;

        if (secret_item_get_locked(item))
                return locked();
        return secret_item_delete_sync(item, NULL, &error) ? KEYRING_DONE : failed(error);
}

/* Does act to what matches, up to the first that fails. */
static int for_matching(SecretService *service, const struct keyring_key *key, SecretSearchFlags flags, int (*act)(SecretItem *item))
{
        GHashTable *attributes = attributes_of(key);
        GError *error = NULL;
        GList *items = secret_service_search_sync(service, &schema, attributes, flags, NULL, &error);
        int result = KEYRING_DONE;

        g_hash_table_unref(attributes);
        if (error)
                return failed(error);
        if (!items)
                return not_found(service);
        for (const GList *item = items; item && result == KEYRING_DONE; item = item->next)
                result = act(item->data);
        g_list_free_full(items, g_object_unref);
        return result;
}

static int act(const char *action, const struct keyring_key *key)
{
        GError *error = NULL;
        SecretService *service = secret_service_open_sync(quiet_service_get_type(), NULL, SECRET_SERVICE_OPEN_SESSION, NULL, &error);
        int result;

        if (!service) {
                g_error_free(error);
                return fail(KEYRING_NO_SERVICE, "no Secret Service (gnome-keyring, KWallet or the like) runs in this session");
        }
        if (strcmp(action, "store") == 0)
                result = store(service, key);
        else if (strcmp(action, "lookup") == 0)
                result = for_matching(service, key, SECRET_SEARCH_NONE, print_secret);
        else
                result = for_matching(service, key, SECRET_SEARCH_ALL, delete_item);
        g_object_unref(service);
        return result;
}

static GLogWriterOutput say_nothing(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer userdata)
{
        (void) level;
        (void) fields;
        (void) n_fields;
        (void) userdata;
        return G_LOG_WRITER_HANDLED;
}

static bool is_request(int argc, char **argv)
{
        if (argc == 3)
                return strcmp(argv[1], "clear") == 0;
        return argc == 5 && (strcmp(argv[1], "store") == 0 || strcmp(argv[1], "lookup") == 0 || strcmp(argv[1], "clear") == 0);
}

int main(int argc, char **argv)
{
        const struct rlimit no_core = { 0, 0 };

        if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                puts("wnet-secret " WNET_VERSION);
                return 0;
        }
        if (!is_request(argc, argv))
                return fail(KEYRING_FAILED, "wnet-secret is started by wnetd; use wnet to work with network drives");
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(LIFE_SECONDS);
        g_log_set_writer_func(say_nothing, NULL, NULL); /* one line on standard error, and that is ours */
        return act(argv[1], &(struct keyring_key){ argv[2], argc > 3 ? argv[3] : NULL, argc > 3 ? argv[4] : NULL });
}

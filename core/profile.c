/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Owns the profile's file format. Always true:
 *
 * - A file that is not a profile is never written to. Its header is checked before SQLite takes a lock or looks at a
 *   journal, through SQLite's own file object: a descriptor of ours would, when closed, drop the locks that a staged
 *   change of this process holds on the same file.
 * - A profile appears under its name complete, schema and all: it is made under another name and renamed.
 * - Between staging and commit the row's pages are in the file and the old ones, page 1 included, in a synced rollback
 *   journal. Commit overwrites page 1, syncs and deletes the journal, so it needs no space that is not there already.
 */

#include "core/profile.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/fault.h"
#include "core/name.h"
#include "core/paths.h"
#include "core/utf8.h"

#define TEXT_MAX_BYTES 256           /* user, domain, provider */
#define VALUE_MAX_BYTES (64 * 1024)  /* SQLite's limit for anything in the file or in a statement */
#define HEADER_BYTES 100
#define TEMPORARY ".new-XXXXXX" /* behind the name of a profile that is being made, as for mkostemp() */

/* The file keeps these texts; a profile whose texts differ is not one. The settings' table is made with the first setting. */
#define SCHEMA                                                                                                     \
        "CREATE TABLE device (device TEXT PRIMARY KEY NOT NULL, remote TEXT NOT NULL, type INTEGER NOT NULL, "     \
        "user TEXT, domain TEXT, provider TEXT NOT NULL, read_only INTEGER NOT NULL, secret INTEGER NOT NULL, "    \
        "credentials_file TEXT, since_usec INTEGER NOT NULL) WITHOUT ROWID"

#define SETTING_SCHEMA "CREATE TABLE setting (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID"

enum column { DEVICE, REMOTE, TYPE, USER, DOMAIN, PROVIDER, READ_ONLY, SECRET, CREDENTIALS_FILE, SINCE_USEC };

#define COLUMNS "device, remote, type, user, domain, provider, read_only, secret, credentials_file, since_usec"

struct profile_change {
        sqlite3 *db; /* in a transaction */
        char *path;
        bool created; /* the file did not exist before */
};

static void cleanup_sqlite3_finalize(sqlite3_stmt **stmt)
{
        sqlite3_finalize(*stmt);
}

static void cleanup_sqlite3_close(sqlite3 **db)
{
        sqlite3_close(*db);
}

void profile_row_done(struct profile_row *row)
{
        free(row->device);
        free(row->remote);
        free(row->user);
        free(row->domain);
        free(row->provider);
        free(row->credentials_file);
        *row = (struct profile_row) { 0 };
}

void profile_rows_done(struct profile_rows *rows)
{
        for (size_t i = 0; i < rows->n_items; i++)
                profile_row_done(&rows->items[i]);
        free(rows->items);
        *rows = (struct profile_rows) { 0 };
}

__attribute__((format(printf, 3, 4))) static int bad(const char *path, struct wn_error *err, const char *format, ...)
{
        char why[300];
        va_list args;

        va_start(args, format);
        vsnprintf(why, sizeof why, format, args);
        va_end(args);
        return error_set(err, ERROR_BAD_PROFILE, 0, "profile",
                         "%s is not a profile of this version of wnet: %s; it was left as it is, move it away or put a "
                         "backup in its place",
                         path, why);
}

static int cannot_open(const char *path, int cause, const char *why, struct wn_error *err)
{
        return error_set(err, ERROR_CANNOT_OPEN_PROFILE, cause, "profile", "the profile %s cannot be opened%s: %s",
                         path, cause == EROFS ? " for writing" : "", why);
}

/* The one place that maps SQLite's codes. db may be NULL. */
static int map_sqlite(int code, sqlite3 *db, const char *path, struct wn_error *err)
{
        const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
        int cause = db ? sqlite3_system_errno(db) : 0;

        switch (code & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                error_set(err, ERROR_CANNOT_OPEN_PROFILE, EBUSY, "profile",
                          "the profile %s is locked by another program; try again when that has ended",
                          path);
                return -EBUSY;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_ERROR:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_FORMAT:
        case SQLITE_SCHEMA:
        case SQLITE_TOOBIG:
        case SQLITE_MISMATCH:
        case SQLITE_CONSTRAINT:
                return bad(path, err, "%s", why);
        case SQLITE_IOERR:
                if (code == SQLITE_IOERR_NOMEM)
                        return -ENOMEM;
                return cannot_open(path, cause ? cause : EIO, why, err);
        case SQLITE_FULL:
                return cannot_open(path, cause ? cause : ENOSPC, why, err);
        case SQLITE_READONLY:
                return cannot_open(path, cause ? cause : EROFS, why, err);
        default:
                return cannot_open(path, cause ? cause : EACCES, why, err);
        }
}

static int execute(sqlite3 *db, const char *sql, const char *path, struct wn_error *err)
{
        return map_sqlite(sqlite3_exec(db, sql, NULL, NULL, NULL), db, path, err);
}

static uint32_t read_be32(const unsigned char *p)
{
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

/* These fields are written once, when the profile is made: no lock is needed to read them, and a journal that a crash
 * left does not change them. */
static int check_header(sqlite3 *db, const char *path, struct wn_error *err)
{
        unsigned char header[HEADER_BYTES];
        sqlite3_file *file = NULL;
        uint32_t version;
        int code;

        code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
        if (code != SQLITE_OK || !file || !file->pMethods)
                return cannot_open(path, EIO, "SQLite does not show the file", err);
        code = file->pMethods->xRead(file, header, sizeof header, 0);
        if (code == SQLITE_IOERR_SHORT_READ)
                return bad(path, err, "the file is too short");
        if (code != SQLITE_OK)
                return map_sqlite(code, NULL, path, err);

        if (memcmp(header, "SQLite format 3", 16) != 0)
                return bad(path, err, "it is no SQLite database");
        if (read_be32(header + 68) != PROFILE_APPLICATION_ID)
                return bad(path, err, "it is another program's database");
        version = read_be32(header + 60);
        if (version > PROFILE_VERSION)
                return bad(path, err, "it was written by a newer version (%u, known is %u)", version, PROFILE_VERSION);
        if (version < 1)
                return bad(path, err, "its version %u is not known", version);
        if (header[18] != 1 || header[19] != 1) /* merely reading it in that mode would write to it */
                return bad(path, err,
                           "another program set its journal mode; run: sqlite3 FILE 'PRAGMA journal_mode=DELETE'");
        return 0;
}

/* 0, -ENOENT (nothing there; err is not set), or a code of the header. */
static int check_file(const char *path, struct wn_error *err)
{
        struct stat st;

        if (stat(path, &st) < 0) {
                if (errno == ENOENT)
                        return -ENOENT;
                return cannot_open(path, errno, strerror(errno), err);
        }
        if (S_ISDIR(st.st_mode))
                return cannot_open(path, EISDIR, "it is a directory", err);
        if (!S_ISREG(st.st_mode)) /* opening a FIFO could wait, a device could do anything */
                return cannot_open(path, EINVAL, "it is not a regular file", err);
        if (access(path, R_OK) < 0)
                return cannot_open(path, errno, strerror(errno), err);
        if (st.st_size == 0)
                return bad(path, err, "the file is empty");
        return 0;
}

/* Opens without looking at the content; pragmas already do, and roll a journal back. SQLite itself falls back to
 * reading when the file cannot be written. */
static int open_database(const char *path, sqlite3 **ret_db, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);

        if (code != SQLITE_OK)
                return map_sqlite(code, db, path, err);
        sqlite3_extended_result_codes(db, 1);
        sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        *ret_db = TAKE_PTR(db);
        return 0;
}

/* Opens an existing profile and checks that it is one. Codes as check_file(). */
static int open_profile(const char *path, sqlite3 **ret_db, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int r = check_file(path, err);

        if (r != 0)
                return r;
        r = open_database(path, &db, err);
        if (r != 0)
                return r;
        r = check_header(db, path, err);
        if (r != 0)
                return r;
        *ret_db = TAKE_PTR(db);
        return 0;
}

/* In a transaction: the file ends where the database does. SQLite reads one that was cut off or has something behind its
 * end, but would change it even where it rolls back. */
static int check_size(sqlite3 *db, const char *path, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        sqlite3_file *file = NULL;
        sqlite3_int64 size_bytes;
        int code = sqlite3_prepare_v2(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", -1, &stmt, NULL);

        if (code == SQLITE_OK)
                code = sqlite3_step(stmt);
        if (code != SQLITE_ROW)
                return map_sqlite(code, db, path, err);
        code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
        if (code == SQLITE_OK)
                code = file->pMethods->xFileSize(file, &size_bytes);
        if (code != SQLITE_OK)
                return map_sqlite(code, NULL, path, err);
        return size_bytes == sqlite3_column_int64(stmt, 0) ? 0 : bad(path, err, "the file has not the size of its database");
}

/* In a transaction: the schema is the tables that we make, nothing more and nothing less. ret_settings (may be NULL): whether
 * there are settings. */
static int check_schema(sqlite3 *db, const char *path, bool *ret_settings, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        unsigned n_devices = 0, n_settings = 0;
        int code;

        code = sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_master", -1, &stmt, NULL);
        if (code != SQLITE_OK)
                return map_sqlite(code, db, path, err);
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
                const char *sql = (const char *) sqlite3_column_text(stmt, 0);

                if (sql && strcmp(sql, SCHEMA) == 0)
                        n_devices++;
                else if (sql && strcmp(sql, SETTING_SCHEMA) == 0)
                        n_settings++;
                else
                        return bad(path, err, "its tables are not those of a profile");
        }
        if (code != SQLITE_DONE)
                return map_sqlite(code, db, path, err);
        if (n_devices == 0)
                return bad(path, err, "it has no table of devices");
        code = check_size(db, path, err);
        if (code != 0)
                return code;
        if (ret_settings)
                *ret_settings = n_settings > 0;
        return 0;
}

/* A text without control characters that is not empty. */
static bool is_text(const char *text, size_t max_bytes)
{
        size_t size_bytes = text ? strnlen(text, max_bytes + 1) : 0;

        return size_bytes > 0 && size_bytes <= max_bytes && utf8_is_clean(text, size_bytes);
}

/* What is wrong with a row; NULL: nothing. */
static const char *find_fault(const struct profile_row *row)
{
        struct remote_name remote = { 0 };
        struct device_name device;

        if (device_parse(row->device, &device) != 0 || strcmp(device.text, row->device) != 0)
                return "device";
        if (!row->remote || strncmp(row->remote, "\\\\", 2) != 0 || remote_name_parse(row->remote, &remote) != 0)
                return "remote";
        remote_name_done(&remote);
        if (row->type != (device.kind == DEVICE_DRIVE ? RESOURCETYPE_DISK : RESOURCETYPE_PRINT))
                return "type";
        if (row->user && !is_text(row->user, TEXT_MAX_BYTES))
                return "user";
        if (row->domain && !is_text(row->domain, TEXT_MAX_BYTES))
                return "domain";
        if (!is_text(row->provider, TEXT_MAX_BYTES))
                return "provider";
        if (row->secret > PROFILE_SECRET_SERVICE)
                return "secret";
        if ((row->secret == PROFILE_SECRET_FILE) != (row->credentials_file != NULL) ||
            (row->credentials_file &&
             (row->credentials_file[0] != '/' || !is_text(row->credentials_file, PATH_MAX - 1))))
                return "credentials_file";
        if (row->since_usec > INT64_MAX)
                return "since_usec";
        return NULL;
}

/* 1, 0 (not a text as we write them) or -ENOMEM. */
static int read_text(sqlite3_stmt *stmt, enum column column, char **ret_text)
{
        const char *text;

        *ret_text = NULL;
        if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
                return 1;
        if (sqlite3_column_type(stmt, column) != SQLITE_TEXT)
                return 0;
        text = (const char *) sqlite3_column_text(stmt, column);
        if (!text)
                return -ENOMEM;
        if (strlen(text) != (size_t) sqlite3_column_bytes(stmt, column))
                return 0;
        *ret_text = strdup(text);
        return *ret_text ? 1 : -ENOMEM;
}

static bool read_number(sqlite3_stmt *stmt, enum column column, int64_t max, int64_t *ret_number)
{
        int64_t number = sqlite3_column_int64(stmt, column);

        if (sqlite3_column_type(stmt, column) != SQLITE_INTEGER || number < 0 || number > max)
                return false;
        *ret_number = number;
        return true;
}

/* row is zeroed; what it got is freed by the caller in any case. */
static int read_row(sqlite3_stmt *stmt, struct profile_row *row, const char *path, struct wn_error *err)
{
        const struct {
                enum column column;
                char **text;
        } texts[] = {
                { DEVICE, &row->device }, { REMOTE, &row->remote },     { USER, &row->user },
                { DOMAIN, &row->domain }, { PROVIDER, &row->provider }, { CREDENTIALS_FILE, &row->credentials_file },
        };
        int64_t type, read_only, secret, since_usec;
        const char *fault;

        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
                int r = read_text(stmt, texts[i].column, texts[i].text);

                if (r < 0)
                        return r;
                if (r == 0)
                        return bad(path, err, "a row has a malformed %s", sqlite3_column_name(stmt, texts[i].column));
        }
        if (!read_number(stmt, TYPE, RESOURCETYPE_PRINT, &type) || !read_number(stmt, READ_ONLY, 1, &read_only) ||
            !read_number(stmt, SECRET, PROFILE_SECRET_SERVICE, &secret) ||
            !read_number(stmt, SINCE_USEC, INT64_MAX, &since_usec))
                return bad(path, err, "a row has a malformed number");
        row->type = (uint32_t) type;
        row->read_only = read_only;
        row->secret = (enum profile_secret) secret;
        row->since_usec = (uint64_t) since_usec;

        fault = find_fault(row);
        return fault ? bad(path, err, "a row has a malformed %s", fault) : 0;
}

/* In a transaction: checks the schema and reads every row. */
static int read_rows(sqlite3 *db, struct profile_rows *ret_rows, const char *path, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        int r = check_schema(db, path, NULL, err), code;

        if (r != 0)
                return r;
        rows.items = calloc(PROFILE_ROWS_MAX, sizeof *rows.items);
        if (!rows.items)
                return -ENOMEM;
        code = sqlite3_prepare_v2(db, "SELECT " COLUMNS " FROM device ORDER BY device", -1, &stmt, NULL);
        if (code != SQLITE_OK)
                return map_sqlite(code, db, path, err);
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
                if (rows.n_items >= PROFILE_ROWS_MAX)
                        return bad(path, err, "it has more rows than there are devices");
                r = read_row(stmt, &rows.items[rows.n_items++], path, err);
                if (r != 0)
                        return r;
        }
        if (code != SQLITE_DONE)
                return map_sqlite(code, db, path, err);
        *ret_rows = rows;
        rows = (struct profile_rows) { 0 };
        return 0;
}

int profile_load(const char *path, struct profile_rows *ret_rows, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int r = open_profile(path, &db, err);

        if (r == -ENOENT) {
                *ret_rows = (struct profile_rows) { 0 };
                return 0;
        }
        if (r != 0)
                return r;
        r = execute(db, "BEGIN", path, err);
        if (r != 0)
                return r;
        return read_rows(db, ret_rows, path, err);
}

/* In a transaction. */
static int read_persistence(sqlite3 *db, bool *ret_persistent, const char *path, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        bool has_settings = false;
        int r = check_schema(db, path, &has_settings, err), code;

        if (r != 0)
                return r;
        *ret_persistent = true;
        if (!has_settings)
                return 0;
        code = sqlite3_prepare_v2(db, "SELECT value FROM setting WHERE name = 'persistent'", -1, &stmt, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
                *ret_persistent = sqlite3_column_int64(stmt, 0) != 0;
        return map_sqlite(code, db, path, err);
}

int profile_load_persistence(const char *path, bool *ret_persistent, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int r = open_profile(path, &db, err);

        if (r == -ENOENT) {
                *ret_persistent = true;
                return 0;
        }
        if (r == 0)
                r = execute(db, "BEGIN", path, err);
        return r != 0 ? r : read_persistence(db, ret_persistent, path, err);
}

/* Writes an empty profile to a file of no bytes that nobody else knows. */
static int write_empty(const char *path, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        char pragmas[128];
        int r = open_database(path, &db, err);

        if (r != 0)
                return r;
        /* No journal: nobody reads the file before it is complete, and one would be left over after a crash. */
        r = execute(db, "PRAGMA synchronous=FULL; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE; " SCHEMA, path, err);
        if (r != 0)
                return r;
        snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                 PROFILE_APPLICATION_ID, PROFILE_VERSION);
        return execute(db, pragmas, path, err);
}

/* Gives the complete file temporary the profile's name, unless somebody was faster. 0 or a negative errno. */
static int publish(const char *temporary, const char *path)
{
        if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno == EEXIST)
                return -EEXIST;
        if (link(temporary, path) < 0) /* file systems without that flag */
                return -errno;
        unlink(temporary);
        return 0;
}

/* The directory above path exists afterwards; one that was there is taken as it is. */
static int make_parent(const char *path, struct wn_error *err)
{
        _cleanup_free_ char *dir = strdup(path);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        struct stat st;
        int r;

        if (!dir)
                return -ENOMEM;
        if (!slash || slash == dir)
                return 0;
        *slash = '\0';
        if (stat(dir, &st) == 0)
                return 0;
        r = paths_make_private_dir(dir);
        return r == 0 || r == -ENOMEM ? r : cannot_open(path, -r, strerror(-r), err);
}

void profile_clean(const char *path)
{
        const char *name = strrchr(path, '/') + 1;
        _cleanup_free_ char *folder = strndup(path, (size_t) (name - path)), *pattern = NULL;
        DIR *dir = folder ? opendir(folder) : NULL;
        const struct dirent *entry;

        if (asprintf(&pattern, "%s" TEMPORARY, name) < 0)
                pattern = NULL;
        while (dir && pattern && (entry = readdir(dir)))
                if (strlen(entry->d_name) == strlen(pattern) &&
                    strncmp(entry->d_name, pattern, strlen(pattern) - 6) == 0)
                        (void) unlinkat(dirfd(dir), entry->d_name, 0);
        if (dir)
                closedir(dir);
}

/* Makes an empty profile where there is none. */
static int create_profile(const char *path, bool *ret_created, struct wn_error *err)
{
        _cleanup_free_ char *temporary = NULL, *journal = NULL;
        int r = make_parent(path, err), fd;

        if (r != 0)
                return r;
        if (asprintf(&temporary, "%s" TEMPORARY, path) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        if (asprintf(&journal, "%s-journal", path) < 0) {
                journal = NULL;
                return -ENOMEM;
        }
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return cannot_open(path, errno, strerror(errno), err);
        r = fchmod(fd, 0600) < 0 ? cannot_open(path, errno, strerror(errno), err) : 0; /* whatever the umask */
        close(fd);
        FAULT_POINT("profile.made");
        if (r == 0)
                r = write_empty(temporary, err);
        FAULT_POINT("profile.written");
        if (r == 0) {
                /* A journal whose profile somebody removed would be rolled back into the new one. */
                unlink(journal);
                r = publish(temporary, path);
                FAULT_POINT("profile.published");
                *ret_created = r == 0;
                if (r == -EEXIST)
                        r = 0;
                else if (r < 0)
                        r = cannot_open(path, -r, strerror(-r), err);
                else
                        return 0;
        }
        unlink(temporary);
        return r;
}

/* Removes the empty profile that this process made, unless somebody put a row into it meanwhile. The journal is gone
 * before the file is: the other way round, a crash would leave it for the next profile. */
static void remove_created(sqlite3 *db, const char *path)
{
        struct profile_rows rows = { 0 };

        if (sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
                return;
        if (read_rows(db, &rows, path, NULL) == 0 && rows.n_items == 0)
                unlink(path);
        FAULT_POINT("profile.removed");
        profile_rows_done(&rows);
}

void profile_rollback(struct profile_change *change)
{
        if (!change)
                return;
        if (change->db) {
                sqlite3_exec(change->db, "ROLLBACK", NULL, NULL, NULL); /* fails where SQLite has rolled back itself */
                if (change->created)
                        remove_created(change->db, change->path);
                sqlite3_close(change->db);
        }
        free(change->path);
        free(change);
}
DEFINE_CLEANUP(struct profile_change *, profile_rollback);

int profile_commit(struct profile_change *change, struct wn_error *err)
{
        int r;

        if (!change)
                return 0;
        r = execute(change->db, "COMMIT", change->path, err);
        FAULT_POINT("profile.committed");
        if (r != 0) {
                profile_rollback(change);
                return r;
        }
        sqlite3_close(change->db);
        free(change->path);
        free(change);
        return 0;
}

/* Opens the profile for a change, locks and checks it. -ENOENT where there is none. */
static int begin_change(const char *path, bool created, struct profile_change **ret_change,
                        struct profile_rows *ret_rows, struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = calloc(1, sizeof *change);
        int r;

        if (!change || !(change->path = strdup(path)))
                return -ENOMEM;
        change->created = created;
        r = open_profile(path, &change->db, err);
        if (r != 0)
                return r;
        if (sqlite3_db_readonly(change->db, "main") != 0) {
                struct profile_rows rows = { 0 };

                /* A file that is not a profile is that in the first place. */
                r = read_rows(change->db, &rows, path, err);
                profile_rows_done(&rows);
                return r != 0 ? r
                              : cannot_open(path, EROFS, "it is read-only; check its rights and its directory's", err);
        }
        /* EXTRA is FULL and syncs the directory too: a power failure does not bring the journal back. */
        r = execute(change->db, "PRAGMA synchronous=EXTRA; PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE", path, err);
        if (r != 0)
                return r;
        r = read_rows(change->db, ret_rows, path, err);
        if (r != 0)
                return r;
        *ret_change = TAKE_PTR(change);
        return 0;
}

/* The same; makes the profile where there is none. */
static int begin_put(const char *path, struct profile_change **ret_change, struct profile_rows *ret_rows,
                     struct wn_error *err)
{
        bool created = false;
        int r = begin_change(path, false, ret_change, ret_rows, err);

        if (r != -ENOENT)
                return r;
        r = create_profile(path, &created, err);
        if (r != 0)
                return r;
        r = begin_change(path, created, ret_change, ret_rows, err);
        if (r == -ENOENT)
                r = cannot_open(path, ENOENT, "it was removed just now, or is a symbolic link to nothing", err);
        return r;
}

/* Runs stmt, then writes all but the end of the transaction. */
static int stage(sqlite3 *db, sqlite3_stmt *stmt, const char *path, struct wn_error *err)
{
        char touch[64];
        int code = sqlite3_step(stmt), r;

        if (code != SQLITE_DONE)
                return map_sqlite(code, db, path, err);
        sqlite3_reset(stmt);

        /* COMMIT counts the change in page 1. Written here too, page 1 is in the journal already when COMMIT comes. */
        snprintf(touch, sizeof touch, "PRAGMA user_version=%d", PROFILE_VERSION);
        r = execute(db, touch, path, err);
        if (r != 0)
                return r;
        return map_sqlite(sqlite3_db_cacheflush(db), db, path, err);
}

int profile_stage_delete(const char *path, const char *device, struct profile_change **ret_change, struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = NULL;
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        bool found = false;
        int r = begin_change(path, false, &change, &rows, err);

        if (r != 0 && r != -ENOENT)
                return r;
        for (size_t i = 0; i < rows.n_items; i++)
                found = found || strcmp(rows.items[i].device, device) == 0;
        if (!found) {
                *ret_change = NULL;
                return 0;
        }

        r = sqlite3_prepare_v2(change->db, "DELETE FROM device WHERE device = ?", -1, &stmt, NULL);
        if (r == SQLITE_OK)
                r = sqlite3_bind_text(stmt, 1, device, -1, SQLITE_STATIC);
        if (r != SQLITE_OK)
                return map_sqlite(r, change->db, path, err);
        r = stage(change->db, stmt, path, err);
        if (r != 0)
                return r;
        *ret_change = TAKE_PTR(change);
        return 0;
}

static int bind_row(sqlite3_stmt *stmt, const struct profile_row *row)
{
        const struct {
                enum column column;
                const char *text;
        } texts[] = {
                { DEVICE, row->device }, { REMOTE, row->remote },     { USER, row->user },
                { DOMAIN, row->domain }, { PROVIDER, row->provider }, { CREDENTIALS_FILE, row->credentials_file },
        };
        const struct {
                enum column column;
                int64_t number;
        } numbers[] = {
                { TYPE, row->type },
                { READ_ONLY, row->read_only },
                { SECRET, row->secret },
                { SINCE_USEC, (int64_t) row->since_usec },
        };
        int code = SQLITE_OK;

        for (size_t i = 0; code == SQLITE_OK && i < sizeof texts / sizeof texts[0]; i++) /* NULL is bound as NULL */
                code = sqlite3_bind_text(stmt, texts[i].column + 1, texts[i].text, -1, SQLITE_STATIC);
        for (size_t i = 0; code == SQLITE_OK && i < sizeof numbers / sizeof numbers[0]; i++)
                code = sqlite3_bind_int64(stmt, numbers[i].column + 1, numbers[i].number);
        return code;
}

int profile_stage_put(const char *path, const struct profile_row *row, struct profile_change **ret_change,
                      struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = NULL;
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        const char *fault = find_fault(row);
        int r;

        if (fault)
                return error_set(err, ERROR_INVALID_PARAMETER, 0, "profile",
                                 "the device cannot be remembered: its %s is malformed",
                                 fault);
        r = begin_put(path, &change, &rows, err);
        if (r != 0)
                return r;

        r = sqlite3_prepare_v2(change->db, "INSERT OR REPLACE INTO device (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?)",
                               -1, &stmt, NULL);
        if (r == SQLITE_OK)
                r = bind_row(stmt, row);
        if (r != SQLITE_OK)
                return map_sqlite(r, change->db, path, err);
        r = stage(change->db, stmt, path, err);
        if (r != 0)
                return r;
        *ret_change = TAKE_PTR(change);
        return 0;
}

int profile_stage_persistence(const char *path, bool persistent, struct profile_change **ret_change, struct wn_error *err)
{
        _cleanup_(profile_rollbackp) struct profile_change *change = NULL;
        _cleanup_(profile_rows_done) struct profile_rows rows = { 0 };
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        bool has_settings;
        int r = begin_put(path, &change, &rows, err);

        if (r == 0)
                r = check_schema(change->db, path, &has_settings, err);
        if (r == 0 && !has_settings)
                r = execute(change->db, SETTING_SCHEMA, path, err);
        if (r != 0)
                return r;
        r = sqlite3_prepare_v2(change->db, "INSERT OR REPLACE INTO setting (name, value) VALUES ('persistent', ?)", -1, &stmt,
                               NULL);
        if (r == SQLITE_OK)
                r = sqlite3_bind_int(stmt, 1, persistent);
        if (r != SQLITE_OK)
                return map_sqlite(r, change->db, path, err);
        r = stage(change->db, stmt, path, err);
        if (r != 0)
                return r;
        *ret_change = TAKE_PTR(change);
        return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opening the profile's file, and whether it is one. A file that is not a profile is never written to: its header is checked before
 * SQLite takes a lock or looks at a journal, through SQLite's own file object. A descriptor of ours would, when closed, drop the
 * locks that a staged change of this process holds on the same file.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/profile-internal.h"

#define VALUE_MAX_BYTES (64 * 1024) /* SQLite's limit for anything in the file or in a statement */
#define HEADER_BYTES 100

int profile_bad(const char *path, struct wn_error *err, const char *format, ...)
{
        char why[300];
        va_list args;

        va_start(args, format);
        vsnprintf(why, sizeof(why), format, args);
        va_end(args);
        return error_set(err, ERROR_BAD_PROFILE, 0, "profile",
                         "%s is not a profile of this version of wnet: %s; it was left as it is, move it away or put a "
                         "backup in its place",
                         path, why);
}

int profile_cannot_open(const char *path, int cause, const char *why, struct wn_error *err)
{
        return error_set(err, ERROR_CANNOT_OPEN_PROFILE, cause, "profile", "the profile %s cannot be opened%s: %s%s", path,
                         cause == EROFS ? " for writing" : "", why, cause == EACCES ? "; check its rights and its directory's" : "");
}

int profile_map_sqlite(int code, sqlite3 *db, const char *path, struct wn_error *err)
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
                return profile_bad(path, err, "%s", why);
        case SQLITE_IOERR:
                if (code == SQLITE_IOERR_NOMEM)
                        return -ENOMEM;
                return profile_cannot_open(path, cause ? cause : EIO, why, err);
        case SQLITE_FULL:
                return profile_cannot_open(path, cause ? cause : ENOSPC, why, err);
        case SQLITE_READONLY:
                return profile_cannot_open(path, cause ? cause : EROFS, why, err);
        default:
                return profile_cannot_open(path, cause ? cause : EACCES, why, err);
        }
}

int profile_execute(sqlite3 *db, const char *sql, const char *path, struct wn_error *err)
{
        return profile_map_sqlite(sqlite3_exec(db, sql, NULL, NULL, NULL), db, path, err);
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
                return profile_cannot_open(path, EIO, "SQLite does not show the file", err);
        code = file->pMethods->xRead(file, header, sizeof(header), 0);
        if (code == SQLITE_IOERR_SHORT_READ)
                return profile_bad(path, err, "the file is too short");
        if (code != SQLITE_OK)
                return profile_map_sqlite(code, NULL, path, err);

        if (memcmp(header, "SQLite format 3", 16) != 0)
                return profile_bad(path, err, "it is no SQLite database");
        if (read_be32(header + 68) != PROFILE_APPLICATION_ID)
                return profile_bad(path, err, "it is another program's database");
        version = read_be32(header + 60);
        if (version > PROFILE_VERSION)
                return profile_bad(path, err, "it was written by a newer version (%u, known is %u)", version, PROFILE_VERSION);
        if (version < 1)
                return profile_bad(path, err, "its version %u is not known", version);
        if (header[18] != 1 || header[19] != 1) /* merely reading it in that mode would write to it */
                return profile_bad(path, err,
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
                return profile_cannot_open(path, errno, strerror(errno), err);
        }
        if (S_ISDIR(st.st_mode))
                return profile_cannot_open(path, EISDIR, "it is a directory", err);
        if (!S_ISREG(st.st_mode)) /* opening a FIFO could wait, a device could do anything */
                return profile_cannot_open(path, EINVAL, "it is not a regular file", err);
        if (access(path, R_OK) < 0)
                return profile_cannot_open(path, errno, strerror(errno), err);
        if (st.st_size == 0)
                return profile_bad(path, err, "the file is empty");
        return 0;
}

int profile_open_database(const char *path, sqlite3 **ret_db, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);

        if (code != SQLITE_OK)
                return profile_map_sqlite(code, db, path, err);
        sqlite3_extended_result_codes(db, 1);
        sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        *ret_db = TAKE_PTR(db);
        return 0;
}

int profile_open(const char *path, sqlite3 **ret_db, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int r = check_file(path, err);

        if (r != 0)
                return r;
        r = profile_open_database(path, &db, err);
        if (r != 0)
                return r;
        r = check_header(db, path, err);
        if (r != 0)
                return r;
        *ret_db = TAKE_PTR(db);
        return 0;
}

int profile_open_to_read(const char *path, sqlite3 **ret_db, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_close) sqlite3 *db = NULL;
        int r = profile_open(path, &db, err);

        if (r == 0)
                r = profile_execute(db, "BEGIN", path, err);
        if (r == 0)
                *ret_db = TAKE_PTR(db);
        return r;
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
                return profile_map_sqlite(code, db, path, err);
        code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
        if (code == SQLITE_OK)
                code = file->pMethods->xFileSize(file, &size_bytes);
        if (code != SQLITE_OK)
                return profile_map_sqlite(code, NULL, path, err);
        return size_bytes == sqlite3_column_int64(stmt, 0) ? 0 : profile_bad(path, err, "the file has not the size of its database");
}

int profile_check_schema(sqlite3 *db, const char *path, bool *ret_settings, struct wn_error *err)
{
        _cleanup_(cleanup_sqlite3_finalize) sqlite3_stmt *stmt = NULL;
        unsigned n_devices = 0, n_settings = 0;
        int code;

        code = sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_master", -1, &stmt, NULL);
        if (code != SQLITE_OK)
                return profile_map_sqlite(code, db, path, err);
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
                const char *sql = (const char *) sqlite3_column_text(stmt, 0);

                if (sql && strcmp(sql, PROFILE_SCHEMA) == 0)
                        n_devices++;
                else if (sql && strcmp(sql, PROFILE_SETTING_SCHEMA) == 0)
                        n_settings++;
                else
                        return profile_bad(path, err, "its tables are not those of a profile");
        }
        if (code != SQLITE_DONE)
                return profile_map_sqlite(code, db, path, err);
        if (n_devices == 0)
                return profile_bad(path, err, "it has no table of devices");
        code = check_size(db, path, err);
        if (code != 0)
                return code;
        if (ret_settings)
                *ret_settings = n_settings > 0;
        return 0;
}

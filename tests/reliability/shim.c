/* Between a program and its disk: writes down, refuses, or kills at, what the program asks of files in one folder.
 *
 * Loaded with LD_PRELOAD, so that the program under test is the real one and needs no root. The memory map of SQLite
 * ("-shm") is left alone: it is rebuilt at every opening. Environment:
 *   SHIM_FOLDER   the folder (absolute, no trailing slash); everything else passes untouched
 *   SHIM_LOG      file that gets the record of all that happened to the folder; none: nothing is recorded
 *   SHIM_CONTROL  file of WORDS 64-bit words, mapped; see `enum`. Whoever holds the file steers the program by it
 *   SHIM_MARK     a descriptor whose writes are put into the record too ("1": what the program says on stdout)
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    COUNT,        /* calls so far that touched the folder */
    KILL_AT,      /* SIGKILL before this call; 0: never */
    HALF,         /* not 0: a killed write has written half of its bytes */
    WRITE_ERRNO,  /* not 0: writing, truncating and growing fail so */
    SYNC_ERRNO,   /* not 0: fsync and fdatasync fail so */
    OPEN_ERRNO,   /* not 0: opening for writing, creating, renaming and removing fail so */
    REFUSED,      /* calls that failed because of the three above */
    CLOCK_MS,     /* added to the wall clock */
    FORGET,       /* bit 0: a folder's fsync is not carried out; bit 1: a file's */
    WORDS
};

#define FILES 4096
static char *names[FILES];
static char folder[PATH_MAX];
static size_t folder_length;
static int log_fd = -1, mark_fd = -1;
static volatile int64_t none[WORDS];
static volatile int64_t *words = none;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

struct __attribute__((packed)) head { uint8_t op; uint8_t pad; uint16_t name; uint32_t data; int64_t at; };

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

__attribute__((constructor)) static void settle_in(void) {
    const char *given = getenv("SHIM_FOLDER");
    if (!given) return;
    snprintf(folder, sizeof folder, "%s", given);
    folder_length = strlen(folder);
    if ((given = getenv("SHIM_LOG"))) {
        int made = REAL(open)(given, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log_fd = fcntl(made, F_DUPFD_CLOEXEC, 900);
        REAL(close)(made);
    }
    if ((given = getenv("SHIM_MARK"))) mark_fd = atoi(given);
    if ((given = getenv("SHIM_CONTROL"))) {
        int made = REAL(open)(given, O_RDWR | O_CLOEXEC);
        void *map = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
        if (map != MAP_FAILED) words = map;
        REAL(close)(made);
    }
}

/* The name below the folder ("" for the folder itself), NULL for what is none of our business. */
static const char *inside(const char *path) {
    if (!folder_length || !path || strncmp(path, folder, folder_length)) return NULL;
    if (path[folder_length] != '/' && path[folder_length]) return NULL;
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, "-shm")) return NULL;
    return path[folder_length] ? path + folder_length + 1 : "";
}

static const char *named(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

static void record(char op, const char *name, int64_t at, const void *data, size_t length) {
    if (log_fd < 0) return;
    struct head head = {(uint8_t)op, 0, (uint16_t)strlen(name), (uint32_t)length, at};
    char *all = malloc(sizeof head + head.name + length);
    memcpy(all, &head, sizeof head);
    memcpy(all + sizeof head, name, head.name);
    if (length) memcpy(all + sizeof head + head.name, data, length);
    if (REAL(write)(log_fd, all, sizeof head + head.name + length) < 0) abort();
    free(all);
}

/* Takes the turn; the last call of a program that is to be killed never returns. */
static int is_last(void) {
    pthread_mutex_lock(&turn);
    words[COUNT]++;
    return words[KILL_AT] && words[COUNT] == words[KILL_AT];
}

static void begin(void) { if (is_last()) raise(SIGKILL); }
static void end(void) { int kept = errno; pthread_mutex_unlock(&turn); errno = kept; }

static int refused(int word) {
    if (!words[word]) return 0;
    words[REFUSED]++;
    errno = (int)words[word];
    return 1;
}

static int opened(int fd, const char *name, int flags, int was_there) {
    if (fd >= 0 && fd < FILES) { free(names[fd]); names[fd] = strdup(name); }
    if (fd >= 0 && !was_there && (flags & O_CREAT)) record('C', name, 0, NULL, 0);
    else if (fd >= 0 && (flags & O_TRUNC)) record('T', name, 0, NULL, 0);
    return fd;
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
    const char *name = at == AT_FDCWD ? inside(path) : NULL;
    if (!name) return REAL(openat)(at, path, flags, mode);
    int changes = flags & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC), fd = -1;
    if (!changes) return opened(REAL(openat)(at, path, flags, mode), name, flags, 1);
    begin();
    if (!refused(OPEN_ERRNO)) {
        int was_there = !access(path, F_OK);
        fd = opened(REAL(openat)(at, path, flags, mode), name, flags, was_there);
    }
    end();
    return fd;
}

#define MODE ({ mode_t m = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list v; va_start(v, flags); m = va_arg(v, mode_t); va_end(v); } m; })
int open(const char *path, int flags, ...) { return open_any(AT_FDCWD, path, flags, MODE); }
int open64(const char *path, int flags, ...) { return open_any(AT_FDCWD, path, flags | O_LARGEFILE, MODE); }
int openat(int at, const char *path, int flags, ...) { return open_any(at, path, flags, MODE); }
int openat64(int at, const char *path, int flags, ...) { return open_any(at, path, flags | O_LARGEFILE, MODE); }

int close(int fd) {
    if (named(fd)) { pthread_mutex_lock(&turn); free(names[fd]); names[fd] = NULL; pthread_mutex_unlock(&turn); }
    return REAL(close)(fd);
}

static int64_t place(int fd) {
    struct stat now;
    if ((fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &now)) return now.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

static ssize_t write_at(int fd, const void *data, size_t length, int64_t at, int moves) {
    ssize_t done = -1;
    int last = is_last();
    if (last && words[HALF]) REAL(pwrite)(fd, data, length / 2, at);
    if (last) raise(SIGKILL);
    if (!refused(WRITE_ERRNO)) done = moves ? REAL(write)(fd, data, length) : REAL(pwrite)(fd, data, length, at);
    if (done > 0) record('W', named(fd), at, data, (size_t)done);
    end();
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    if (named(fd)) return write_at(fd, data, length, place(fd), 1);
    if (fd != mark_fd || log_fd < 0) return REAL(write)(fd, data, length);
    pthread_mutex_lock(&turn);
    ssize_t done = REAL(write)(fd, data, length);
    if (done > 0) record('M', "", 0, data, (size_t)done);
    end();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    return named(fd) ? write_at(fd, data, length, at, 0) : REAL(pwrite)(fd, data, length, at);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return pwrite(fd, data, length, at); }

int ftruncate(int fd, off_t size) {
    if (!named(fd)) return REAL(ftruncate)(fd, size);
    int done = -1;
    begin();
    if (!refused(WRITE_ERRNO)) done = REAL(ftruncate)(fd, size);
    if (!done) record('T', named(fd), size, NULL, 0);
    end();
    return done;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int posix_fallocate(int fd, off_t at, off_t length) {
    if (!named(fd)) return REAL(posix_fallocate)(fd, at, length);
    int done = 0;
    begin();
    if (refused(WRITE_ERRNO)) done = errno;
    else done = REAL(posix_fallocate)(fd, at, length);
    if (!done) record('T', named(fd), at + length, NULL, 0);
    end();
    return done;
}
int posix_fallocate64(int fd, off64_t at, off64_t length) { return posix_fallocate(fd, at, length); }

static int sync_any(int fd, int data_only) {
    if (!named(fd)) return data_only ? REAL(fdatasync)(fd) : REAL(fsync)(fd);
    struct stat now;
    int done = -1, is_folder = !fstat(fd, &now) && S_ISDIR(now.st_mode);
    begin();
    if (words[FORGET] & (is_folder ? 1 : 2)) done = 0;
    else if (!refused(SYNC_ERRNO)) {
        /* Whoever records decides later what reached the disk: the real sync would only cost time. */
        done = log_fd >= 0 ? 0 : data_only ? REAL(fdatasync)(fd) : REAL(fsync)(fd);
        if (!done) record(is_folder ? 'D' : 'S', named(fd), 0, NULL, 0);
    }
    end();
    return done;
}
int fsync(int fd) { return sync_any(fd, 0); }
int fdatasync(int fd) { return sync_any(fd, 1); }

#define NAMING(op, path, to, call) ({ \
    const char *name = inside(path); \
    int done = -1; \
    if (!name) done = call; \
    else { \
        const char *other = inside(to); \
        begin(); \
        if (!refused(OPEN_ERRNO)) done = call; \
        if (!done) record(op, name, 0, other ? other : "", other ? strlen(other) : 0); \
        end(); \
    } \
    done; })

int rename(const char *from, const char *to) { return NAMING('R', from, to, REAL(rename)(from, to)); }
int renameat(int a, const char *from, int b, const char *to) { return NAMING('R', from, to, REAL(renameat)(a, from, b, to)); }
int link(const char *from, const char *to) { return NAMING('L', from, to, REAL(link)(from, to)); }
int unlink(const char *path) { return NAMING('U', path, (const char *)NULL, REAL(unlink)(path)); }
int unlinkat(int at, const char *path, int flags) { return NAMING('U', path, (const char *)NULL, REAL(unlinkat)(at, path, flags)); }
int mkdir(const char *path, mode_t mode) { return NAMING('K', path, (const char *)NULL, REAL(mkdir)(path, mode)); }
int mkdirat(int at, const char *path, mode_t mode) { return NAMING('K', path, (const char *)NULL, REAL(mkdirat)(at, path, mode)); }

int clock_gettime(clockid_t which, struct timespec *now) {
    int done = REAL(clock_gettime)(which, now);
    if (!done && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_nsec + words[CLOCK_MS] % 1000 * 1000000;
        now->tv_sec += words[CLOCK_MS] / 1000 + ns / 1000000000 - (ns < 0);
        now->tv_nsec = (ns % 1000000000 + 1000000000) % 1000000000;
    }
    return done;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

/* Faults of system calls for tests: a library to preload (ld.so(8), LD_PRELOAD) that stands between a program and libc.
 *
 * It counts the calls that concern one folder, by path or by a descriptor opened below it, and makes one of them, or
 * all from one on, fail, write only a part, kill the process (a write: after half of it), or wait as long as a file,
 * the gate, exists. `shim_watch` and `shim_arm` are called by the process itself (shim.py); a program that knows
 * nothing of it is told by the environment: SHIM_FOLDER, SHIM_CLASSES, SHIM_GATE and, to fail instead of waiting,
 * SHIM_ERRNO; then every call of these classes is one to fail as long as the gate exists.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, CREATE = 2, READ = 4, WRITE = 8, SYNC = 16, RENAME = 32, UNLINK = 64, MKDIR = 128 };
enum { NONE, FAIL, PART, KILL, BLOCK };

#define DESCRIPTORS 65536

static char folder[4096], gate[4096];
static size_t length;
static unsigned char ours[DESCRIPTORS];
static int classes, action, value, forever, by_gate;
static long nth, calls, hits;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

void shim_watch(const char *path)
{
    action = NONE;
    calls = hits = 0;
    strncpy(folder, path, sizeof folder - 1);
    length = strlen(folder);
}

/* Count the calls of these classes anew; the nth (from 1; 0: none), or all from it on, meet what is to happen. */
void shim_arm(int of, long from, int what, int with, int on, const char *until)
{
    action = NONE;
    calls = hits = 0;
    classes = of, nth = from, value = with, forever = on;
    strncpy(gate, until ? until : "", sizeof gate - 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    action = what;
}

long shim_calls(void) { return __atomic_load_n(&calls, __ATOMIC_SEQ_CST); }
long shim_hits(void) { return __atomic_load_n(&hits, __ATOMIC_SEQ_CST); }

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SHIM_FOLDER"), *until = getenv("SHIM_GATE"), *of = getenv("SHIM_CLASSES");
    const char *error = getenv("SHIM_ERRNO");
    if (!path || !until || !of)
        return;
    shim_watch(path);
    shim_arm(atoi(of), 1, error ? FAIL : BLOCK, error ? atoi(error) : 0, 1, until);
    by_gate = 1;
}

static int below(int at, const char *path)
{
    if (!length || !path)
        return 0;
    if (*path != '/' && at != AT_FDCWD)
        return at >= 0 && at < DESCRIPTORS && ours[at];
    return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int known(int fd) { return length && fd >= 0 && fd < DESCRIPTORS && ours[fd]; }

static void know(int fd, int is)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        ours[fd] = (unsigned char)is;
}

/* What is to happen to this call; only NONE, FAIL (errno is set), PART and KILL come back. */
static int meets(int class)
{
    if (action == NONE || !(class & classes))
        return NONE;
    long call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (!nth || call < nth || (call > nth && !forever))
        return NONE;
    if (by_gate && access(gate, F_OK))
        return NONE;
    __atomic_add_fetch(&hits, 1, __ATOMIC_SEQ_CST);
    if (action == BLOCK) {
        struct timespec pause = {0, 2000000};
        while (!access(gate, F_OK))
            nanosleep(&pause, NULL);
        return NONE;
    }
    if (action == KILL && class != WRITE)
        kill(getpid(), SIGKILL);
    if (action == FAIL)
        errno = value;
    return action;
}

static int opens(int flags) { return flags & (O_CREAT | O_WRONLY | O_RDWR) ? CREATE : OPEN; }

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

#define OPENS(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        MODE(flags) \
        int is = below(AT_FDCWD, path); \
        if (is && meets(opens(flags)) == FAIL) \
            return -1; \
        int fd = real(path, flags, mode); \
        know(fd, is); \
        return fd; \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name) \
    int name(int at, const char *path, int flags, ...) \
    { \
        REAL(name); \
        MODE(flags) \
        int is = below(at, path); \
        if (is && meets(opens(flags)) == FAIL) \
            return -1; \
        int fd = real(at, path, flags, mode); \
        know(fd, is); \
        return fd; \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open64(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

DIR *opendir(const char *path)
{
    REAL(opendir);
    return below(AT_FDCWD, path) && meets(OPEN) == FAIL ? NULL : real(path);
}

int close(int fd)
{
    REAL(close);
    know(fd, 0);
    return real(fd);
}

#define READS(name, args, pass) \
    ssize_t name args \
    { \
        REAL(name); \
        return known(fd) && meets(READ) == FAIL ? -1 : real pass; \
    }
READS(read, (int fd, void *to, size_t size), (fd, to, size))
READS(pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
READS(pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))

#define WRITES(name, args, pass) \
    ssize_t name args \
    { \
        REAL(name); \
        int what = known(fd) ? meets(WRITE) : NONE; \
        if (what == FAIL) \
            return -1; \
        if ((what == PART || what == KILL) && size > 1) \
            size /= 2; \
        ssize_t done = real pass; \
        if (what == KILL) \
            kill(getpid(), SIGKILL); \
        return done; \
    }
WRITES(write, (int fd, const void *from, size_t size), (fd, from, size))
WRITES(pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
WRITES(pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))

ssize_t writev(int fd, const struct iovec *from, int size)
{
    REAL(writev);
    int what = known(fd) ? meets(WRITE) : NONE;
    if (what == FAIL)
        return -1;
    if ((what == PART || what == KILL) && size > 1)
        size /= 2;
    ssize_t done = real(fd, from, size);
    if (what == KILL)
        kill(getpid(), SIGKILL);
    return done;
}

#define CHANGES(class, name, args, pass, concerned) \
    int name args \
    { \
        REAL(name); \
        return (concerned) && meets(class) == FAIL ? -1 : real pass; \
    }
CHANGES(SYNC, fsync, (int fd), (fd), known(fd))
CHANGES(SYNC, fdatasync, (int fd), (fd), known(fd))
CHANGES(WRITE, ftruncate, (int fd, off_t size), (fd, size), known(fd))
CHANGES(WRITE, ftruncate64, (int fd, off64_t size), (fd, size), known(fd))
CHANGES(RENAME, rename, (const char *from, const char *to), (from, to), below(AT_FDCWD, from))
CHANGES(RENAME, renameat, (int at, const char *from, int there, const char *to), (at, from, there, to), below(at, from))
CHANGES(RENAME, renameat2, (int at, const char *from, int there, const char *to, unsigned int flags),
        (at, from, there, to, flags), below(at, from))
CHANGES(UNLINK, unlink, (const char *path), (path), below(AT_FDCWD, path))
CHANGES(UNLINK, unlinkat, (int at, const char *path, int flags), (at, path, flags), below(at, path))
CHANGES(MKDIR, mkdir, (const char *path, mode_t mode), (path, mode), below(AT_FDCWD, path))
CHANGES(MKDIR, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), below(at, path))

/* Loaded into the real store server, or a real worker, with LD_PRELOAD: disk, clock and fork as a test orders them.
 *
 * The orders lie in a file that the test maps too (tests/faults/shim.py holds the same layout). Faults hit only files
 * whose path contains `part`. What was made durable is noted there as well, file by file, as an fsync or fdatasync
 * returns: the size the file had when the call was made, which is all the call can promise.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MOST_FILES 4000
#define LOOK_US 10000

struct synced {
    uint64_t file;
    uint64_t size;
};

struct orders {
    int32_t write_errno;   /* fail write with this, after half of the bytes where `torn` */
    int32_t sync_errno;    /* fail fsync and fdatasync with this */
    int32_t fork_errno;    /* fail fork with this */
    int32_t sync_delay_us; /* a slow disk */
    int32_t torn;
    int32_t after;         /* writes and syncs that still succeed first */
    int64_t clock_s;       /* seconds added to the wall clock */
    int64_t refused;       /* how often anything was failed */
    int64_t syncs;
    char part[64];
    int32_t lock;
    int32_t files;
    struct synced synced[MOST_FILES];
};

static struct orders *orders;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULT_SHIM");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapped != MAP_FAILED)
        orders = mapped;
    close(descriptor);
}

static int ours(int descriptor) {
    char name[32], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, orders->part) != NULL;
}

static int fails(int descriptor, int32_t order) {
    if (!order || !ours(descriptor))
        return 0;
    if (__sync_fetch_and_sub(&orders->after, 1) > 0)
        return 0;
    __sync_fetch_and_add(&orders->refused, 1);
    return 1;
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    if (orders && fails(descriptor, orders->write_errno)) {
        int failed = orders->write_errno;
        if (orders->torn && length > 1) {
            ssize_t done = syscall(SYS_write, descriptor, bytes, length / 2);
            if (done > 0)
                return done; /* as a disk does that fills up in the middle: the next one says so */
        }
        errno = failed;
        return -1;
    }
    return syscall(SYS_write, descriptor, bytes, length);
}

static void note(const struct stat *found) {
    while (__sync_lock_test_and_set(&orders->lock, 1))
        usleep(10);
    int at = 0;
    while (at < orders->files && orders->synced[at].file != found->st_ino)
        at++;
    if (at == MOST_FILES) {
        fprintf(stderr, "shim: more files than the table holds\n");
        abort(); /* what is not noted would be taken for lost */
    } else {
        orders->synced[at].file = found->st_ino;
        orders->synced[at].size = found->st_size;
        if (at == orders->files)
            orders->files++;
    }
    __sync_lock_release(&orders->lock);
}

static int sync_file(long call, int descriptor) {
    struct stat found;
    if (!orders || fstat(descriptor, &found) || !S_ISREG(found.st_mode))
        return syscall(call, descriptor);
    if (orders->sync_delay_us && ours(descriptor)) {
        int waited = 0, left;
        while ((left = orders->sync_delay_us - waited) > 0) { /* read each time: a disk may come back */
            int step = left < LOOK_US ? left : LOOK_US;
            usleep(step);
            waited += step;
        }
    }
    if (fails(descriptor, orders->sync_errno)) {
        errno = orders->sync_errno;
        return -1;
    }
    int done = syscall(call, descriptor);
    if (done == 0) {
        note(&found);
        __sync_fetch_and_add(&orders->syncs, 1);
    }
    return done;
}

int fsync(int descriptor) { return sync_file(SYS_fsync, descriptor); }

int fdatasync(int descriptor) { return sync_file(SYS_fdatasync, descriptor); }

pid_t fork(void) {
    static pid_t (*real)(void);
    if (!real)
        real = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork");
    if (orders && orders->fork_errno) {
        __sync_fetch_and_add(&orders->refused, 1);
        errno = orders->fork_errno;
        return -1;
    }
    return real();
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, now);
    if (done == 0 && orders && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += orders->clock_s;
    return done;
}

int gettimeofday(struct timeval *now, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real)
        real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(now, zone);
    if (done == 0 && orders)
        now->tv_sec += orders->clock_s;
    return done;
}

time_t time(time_t *kept) {
    struct timeval now;
    gettimeofday(&now, NULL);
    if (kept)
        *kept = now.tv_sec;
    return now.tv_sec;
}

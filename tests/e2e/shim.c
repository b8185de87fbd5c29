/* Loaded into a server with LD_PRELOAD. It counts how often the server asks the allocator for memory, refuses packets in
 * the kernel's place, and advances the clock. The test sees and sets its numbers in a file that both have mapped. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* The order is that of `Number` in shim.rs. */
struct shared {
    uint64_t allocations; /* so far */
    uint64_t error;       /* what a refused write sets errno to; 0: none is refused */
    uint64_t one_in;      /* every so many-th write is refused */
    uint64_t writes;      /* packets offered to the kernel so far, while some are refused */
    uint64_t refused;     /* so far */
    uint64_t intrude;     /* the next write asks for a socket first, as code from the network might */
    uint64_t seconds;     /* by which the clock has been advanced */
    uint64_t stopped;     /* the clock does not follow the machine's, but is advanced only */
    uint64_t stopped_at;  /* what it showed when that began, in nanoseconds; 0 until the server has looked at it */
};

static struct shared *shared;
static int (*machine_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("SHOUT_SHIM");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory = fd < 0 ? MAP_FAILED : mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        _exit(99);
    close(fd);
    shared = memory;
}

/* It does not pass by way of a system call of our own, which the sandbox would refuse. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (!machine_clock)
        machine_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = machine_clock(clock, time);
    if (result != 0 || clock != CLOCK_MONOTONIC || !shared)
        return result;
    if (shared->stopped) {
        uint64_t now = (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec, at = 0;
        if (__atomic_compare_exchange_n(&shared->stopped_at, &at, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            at = now;
        time->tv_sec = (time_t)(at / 1000000000);
        time->tv_nsec = (long)(at % 1000000000);
    }
    time->tv_sec += (time_t)shared->seconds;
    return result;
}

static void count(void)
{
    if (shared)
        __atomic_add_fetch(&shared->allocations, 1, __ATOMIC_SEQ_CST);
}

/* glibc's own, by the names that it keeps for this. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
    count();
    *result = __libc_memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}

static int is_tun(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(10, 200);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (shared && shared->intrude) {
        shared->intrude = 0;
        syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);
    }
    uint64_t error = shared ? shared->error : 0;
    if (error && is_tun(fd) && ++shared->writes % shared->one_in == 0) {
        shared->refused++;
        errno = (int)error;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, length);
}

/* With SHOUT_SHIM_KEEP_PRIVILEGES, the first step of giving privileges up is refused. */
int prctl(int operation, ...)
{
    va_list list;
    va_start(list, operation);
    long arguments[4];
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (operation == PR_SET_NO_NEW_PRIVS && getenv("SHOUT_SHIM_KEEP_PRIVILEGES")) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_prctl, operation, arguments[0], arguments[1], arguments[2], arguments[3]);
}

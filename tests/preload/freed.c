/* Preloaded into httpd by the test bed: overwrites freed memory and delays its reuse, so that a use after
 * free reads rubbish.
 *
 * Debian's APR takes the memory of pools straight from mmap(). With `MaxMemFree 1` it gives back each piece as soon as
 * its pool is destroyed, and the kernel hands out the same address at the next call: without this, freed text is often
 * replaced by a text that looks the same. An APR that uses malloc() is covered by glibc's MALLOC_PERTURB_.
 *
 * Under AddressSanitizer (`make sanitize`) freed memory is also marked as such: a module that was compiled with it does
 * not read rubbish, but is reported at once. And what only a pool points to counts as reachable, not as a leak. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizer's own functions, where its runtime is loaded. */
extern void __asan_poison_memory_region(const void *at, size_t length) __attribute__((weak));
extern void __asan_unpoison_memory_region(const void *at, size_t length) __attribute__((weak));
extern void __lsan_register_root_region(const void *at, size_t length) __attribute__((weak));
extern void __lsan_unregister_root_region(const void *at, size_t length) __attribute__((weak));

/* As MALLOC_PERTURB_ in tests/src/builder.rs. */
#define FILL 0xa5
/* Larger mappings are not pools. */
#define LARGEST (1 << 20)
/* The last freed mappings stay mapped. */
#define KEPT 1024
/* The mappings in use, by address; when the table is full, further ones are not watched. */
#define SLOTS 65536

struct piece {
    char *at;
    size_t length;
};

static struct piece used[SLOTS], kept[KEPT];
static size_t next;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void hold(void)
{
    pthread_mutex_lock(&lock);
}

static void release(void)
{
    pthread_mutex_unlock(&lock);
}

/* mod_cgi forks while other threads run: the lock must be free in the child. */
__attribute__((constructor)) static void prepare(void)
{
    pthread_atfork(hold, release, release);
}

static size_t slot(const void *at)
{
    return ((size_t)at >> 12) % SLOTS;
}

static void *map(void *where, size_t length, int protection, int flags, int file, off_t offset)
{
    char *at = (char *)syscall(SYS_mmap, where, length, protection, flags, file, offset);
    int is_plain = where == NULL && file == -1 && flags == (MAP_PRIVATE | MAP_ANONYMOUS) &&
                   protection == (PROT_READ | PROT_WRITE) && length <= LARGEST;
    if (at != MAP_FAILED && is_plain) {
        hold();
        /* One that had the same slot is not watched any more; for leaks it goes on to count. */
        used[slot(at)] = (struct piece){ at, length };
        if (__lsan_register_root_region != NULL)
            __lsan_register_root_region(at, length);
        release();
    }
    return at;
}

void *mmap(void *where, size_t length, int protection, int flags, int file, off_t offset)
{
    return map(where, length, protection, flags, file, offset);
}

void *mmap64(void *where, size_t length, int protection, int flags, int file, off_t offset)
{
    return map(where, length, protection, flags, file, offset);
}

int munmap(void *at, size_t length)
{
    struct piece old = { at, length };
    hold();
    struct piece *known = &used[slot(at)];
    if (known->at == at && known->length == length) {
        known->at = NULL;
        if (__lsan_unregister_root_region != NULL)
            __lsan_unregister_root_region(at, length);
        memset(at, FILL, length);
        /* A NUL, so that a text read beyond its end ends here. */
        ((char *)at)[length - 1] = 0;
        if (__asan_poison_memory_region != NULL)
            __asan_poison_memory_region(at, length);
        old = kept[next];
        kept[next] = (struct piece){ at, length };
        next = (next + 1) % KEPT;
    }
    if (old.at != NULL && __asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(old.at, old.length);
    release();
    return old.at == NULL ? 0 : (int)syscall(SYS_munmap, old.at, old.length);
}

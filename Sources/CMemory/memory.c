#define _GNU_SOURCE
#include "CMemory.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef __GLIBC__

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

// What the heap begins with, and grows by.
#define ROOM ((size_t)64 << 20)
#define LARGE_PAGE ((uintptr_t)2 << 20)

void keep_memory_in_large_pages(void) {
  // The largest that glibc takes: arrays up to it come from the heap.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, ROOM);
  mallopt(M_ARENA_MAX, 1);
  void *const first = malloc(1 << 20);
  if (first == NULL)
    return;
  const uintptr_t start = ((uintptr_t)first + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
  const uintptr_t end = (uintptr_t)sbrk(0);
  free(first);
  // Where the kernel has no large pages it says so, and all goes on with small ones.
  if (start < end)
    (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
}

#else

void keep_memory_in_large_pages(void) {}

#endif

#ifndef CMEMORY_H
#define CMEMORY_H

/// Has the C library keep freed memory for the next use, in one heap that begins with large pages: a check
/// makes and frees arrays of some megabytes by the dozen, and every page of 4 KiB that is new to the process
/// takes the kernel as long as some hundred multiply-adds. For the start of a program, before there are
/// threads. Does nothing where the C library is not glibc.
void keep_memory_in_large_pages(void);

#endif

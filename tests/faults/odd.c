/* Calls of the system that fail as they do on machines that lack something: ODD="flock=37 link=1" names each and its errno. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call) {
    const char *list = getenv("ODD"), *at = list;
    size_t length = strlen(call);
    while (at && (at = strstr(at, call))) {
        if ((at == list || at[-1] == ' ') && at[length] == '=') {
            errno = atoi(at + length + 1);
            return 1;
        }
        at += length;
    }
    return 0;
}

static int is_folder(int file) {
    struct stat found;
    return fstat(file, &found) == 0 && S_ISDIR(found.st_mode);
}

static int is_at(const char *path) {
    const char *at = getenv("ODD_AT");
    return !at || strncmp(path, at, strlen(at)) == 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int flock(int file, int how) { return fails("flock") ? -1 : REAL(flock)(file, how); }
int link(const char *from, const char *to) { return fails("link") ? -1 : REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    return fails("link") ? -1 : REAL(linkat)(a, from, b, to, flags);
}
int fsync(int file) { return is_folder(file) && fails("fsync-folder") ? -1 : REAL(fsync)(file); }
int chmod(const char *path, mode_t mode) { return is_at(path) && fails("chmod") ? -1 : REAL(chmod)(path, mode); }
int fchmodat(int at, const char *path, mode_t mode, int flags) {
    return is_at(path) && fails("chmod") ? -1 : REAL(fchmodat)(at, path, mode, flags);
}
int rmdir(const char *path) { return is_at(path) && fails("rmdir") ? -1 : REAL(rmdir)(path); }
sem_t *sem_open(const char *name, int flags, ...) {
    if (fails("sem_open")) return SEM_FAILED;
    return REAL(sem_open)(name, flags, 0600, 1);
}
pid_t fork(void) { return fails("fork") ? -1 : REAL(fork)(); }
pid_t vfork(void) { return fork(); }

/* What a cycle's reads cost at least: the same system calls as the collector makes, with nothing done about them.
 *
 *     floor COUNTER FILE... < commands        COUNTER: snmp, rpc/nfsd ...; FILE: read in full once a cycle
 *
 * Opens COUNTER of every namespace below /run/netns and keeps the descriptors. Then, for each line on its standard
 * input, does one thing and answers with its CPU time as a line of JSON:
 *
 *     cycle    pread of every kept descriptor and of FILE..., one RTM_GETSTATS dump; every integer is parsed
 *     links    the dump alone
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "/run/netns"
#define MOST 16384

static int kept[MOST], files[64];
static unsigned n_kept, n_files;
static char text[1 << 20];
static int64_t numbers[1 << 16];
/* what was found; printed, so that nothing of the work can be left out by the compiler */
static uint64_t integers, links, sum;

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void open_kept(const char *counter)
{
    char path[512];
    int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    DIR *folder = opendir(FOLDER);
    if (host < 0 || !folder)
        err(1, "%s", FOLDER);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        if (n_kept == MOST)
            errx(1, "more than %d namespaces", MOST);
        snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        int inside = open(path, O_RDONLY | O_CLOEXEC);
        if (inside < 0 || setns(inside, CLONE_NEWNET))
            err(1, "%s", path);
        close(inside);
        snprintf(path, sizeof path, "/proc/self/net/%s", counter);
        if ((kept[n_kept++] = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            err(1, "%s of %s", path, entry->d_name);
    }
    closedir(folder);
    if (setns(host, CLONE_NEWNET))
        err(1, "going back");
    close(host);
}

static void parse(ssize_t length)
{
    unsigned n = 0;
    for (const char *at = text, *end = text + length; at < end;) {
        if (*at < '0' || *at > '9') {
            at++;
            continue;
        }
        int64_t value = 0;
        while (at < end && *at >= '0' && *at <= '9')
            value = value * 10 + (*at++ - '0');
        numbers[n++ & 0xffff] = value;
    }
    integers += n;
    if (n)
        sum += (uint64_t)numbers[(n - 1) & 0xffff];
}

static void read_one(int fd)
{
    ssize_t length = 0, got;
    while ((got = pread(fd, text + length, sizeof text - (size_t)length, length)) > 0) {
        length += got;
        /* seq_file gives a whole small file in one go; only a larger one needs another call */
        if (got < 4000)
            break;
    }
    if (got < 0 || !length)
        err(1, "reading");
    parse(length);
}

static void read_links(int sock)
{
    struct {
        struct nlmsghdr head;
        struct if_stats_msg body;
    } request = {
        .head = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETSTATS, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)},
    };
    if (send(sock, &request, sizeof request, 0) < 0)
        err(1, "asking for link counters");
    for (;;) {
        ssize_t length = recv(sock, text, sizeof text, 0);
        if (length < 0)
            err(1, "receiving link counters");
        for (struct nlmsghdr *m = (void *)text; NLMSG_OK(m, length); m = NLMSG_NEXT(m, length)) {
            if (m->nlmsg_type == NLMSG_DONE)
                return;
            if (m->nlmsg_type == NLMSG_ERROR)
                errx(1, "the kernel refuses to dump link counters");
            const struct if_stats_msg *about = NLMSG_DATA(m);
            const struct rtattr *a = (const void *)(about + 1);
            if (a->rta_type != IFLA_STATS_LINK_64)
                continue;
            const struct rtnl_link_stats64 *s = RTA_DATA(a);
            int64_t *to = numbers + 8 * (links++ & 0x1fff);
            to[0] = (int64_t)s->rx_bytes, to[1] = (int64_t)s->tx_bytes;
            to[2] = (int64_t)s->rx_packets, to[3] = (int64_t)s->tx_packets;
            to[4] = (int64_t)s->rx_dropped, to[5] = (int64_t)s->tx_dropped;
            to[6] = (int64_t)s->rx_errors, to[7] = (int64_t)s->tx_errors;
            sum += s->rx_bytes + s->tx_bytes + about->ifindex;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        errx(64, "usage: floor COUNTER FILE...");
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    open_kept(argv[1]);
    for (int i = 2; i < argc && n_files < 64; i++)
        if ((files[n_files++] = open(argv[i], O_RDONLY | O_CLOEXEC)) < 0)
            err(1, "%s", argv[i]);
    int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (sock < 0)
        err(1, "netlink");
    printf("{\"servers\":%u}\n", n_kept);
    fflush(stdout);
    for (char line[64]; fgets(line, sizeof line, stdin);) {
        integers = links = 0;
        uint64_t began = cpu_ns();
        if (!strcmp(line, "cycle\n")) {
            for (unsigned i = 0; i < n_kept; i++)
                read_one(kept[i]);
            for (unsigned i = 0; i < n_files; i++)
                read_one(files[i]);
        }
        read_links(sock);
        uint64_t took = cpu_ns() - began;
        printf("{\"cpu_ns\":%llu,\"integers\":%llu,\"links\":%llu,\"sum\":%llu}\n", (unsigned long long)took,
               (unsigned long long)integers, (unsigned long long)links, (unsigned long long)sum);
        fflush(stdout);
    }
    return 0;
}

/* program.exe, what the tests run as an external process:
 *   exit N | out TEXT | cat | big BYTES | lines COUNT | sleep MS | tree DEPTH MS | orphan MS | leave MS | args ...
 */
#include <windows.h>
#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <io.h>
#include <fcntl.h>

static void spawn(const char *words, BOOL inherit)
{
    char line[700], path[600];
    GetModuleFileNameA(0, path, 600);
    snprintf(line, sizeof line, "\"%s\" %s", path, words);
    STARTUPINFOA start = { .cb = sizeof start };
    PROCESS_INFORMATION made;
    if (!CreateProcessA(0, line, 0, 0, inherit, 0, 0, 0, &start, &made)) exit(99);
}

static void show_number(void)
{
    printf("pid %lu\n", GetCurrentProcessId());
    fflush(stdout);
}

static int arguments(void)
{
    int count;
    WCHAR **words = CommandLineToArgvW(GetCommandLineW(), &count);
    for (int i = 2; i < count; i++) {
        char text[65536];
        int size = WideCharToMultiByte(CP_UTF8, 0, words[i], -1, text, sizeof text, 0, 0);
        putchar('<');
        for (int j = 0; j < size - 1; j++) printf("%02x", (unsigned char)text[j]);
        putchar('\n');
    }
    return 0;
}

int main(int count, char **words)
{
    const char *what = count > 1 ? words[1] : "";
    char more[100];
    static char buffer[65536];
    setmode(0, O_BINARY);
    setmode(1, O_BINARY);
    if (!strcmp(what, "exit")) return (int)strtoll(words[2], 0, 0);
    if (!strcmp(what, "args")) return arguments();
    if (!strcmp(what, "cp")) return printf("%u %u", GetConsoleCP(), GetConsoleOutputCP()), 0;
    if (!strcmp(what, "cat")) {
        int size;
        while ((size = read(0, buffer, sizeof buffer)) > 0) write(1, buffer, size);
        return 0;
    }
    if (!strcmp(what, "big")) {
        long long left = atoll(words[2]);
        memset(buffer, 'x', sizeof buffer);
        while (left > 0) {
            int size = write(1, buffer, left > 65536 ? 65536 : left);
            if (size <= 0) return 9;
            left -= size;
        }
        return 0;
    }
    if (!strcmp(what, "lines")) {
        for (int i = 0; i < atoi(words[2]); i++) {
            printf("line %06d of a program that talks a lot, unbuffered as tools do\n", i);
            fflush(stdout);
        }
        return 0;
    }
    if (!strcmp(what, "sleep")) {
        show_number();
        Sleep(atoi(words[2]));
        return 0;
    }
    if (!strcmp(what, "tree")) {
        show_number();
        if (atoi(words[2]) > 0) {
            snprintf(more, sizeof more, "tree %d %s", atoi(words[2]) - 1, words[3]);
            spawn(more, TRUE);
        }
        Sleep(atoi(words[3]));
        return 0;
    }
    /* leave: a child goes on when it has ended; orphan: the same, one further down, while it goes on itself. */
    if (!strcmp(what, "leave")) {
        show_number();
        snprintf(more, sizeof more, "sleep %s", words[2]);
        spawn(more, FALSE);
        Sleep(200);
        return 4;
    }
    if (!strcmp(what, "orphan")) {
        show_number();
        snprintf(more, sizeof more, "leave %s", words[2]);
        spawn(more, TRUE);
        Sleep(atoi(words[2]));
        return 0;
    }
    return 77;
}

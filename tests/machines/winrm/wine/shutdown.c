/* shutdown.exe: writes its arguments to C:\shutdown.log and ends with the number in C:\shutdown.code. */
#include <stdio.h>

int main(int count, char **words)
{
    int code = 0;
    FILE *log = fopen("C:\\shutdown.log", "a"), *file = fopen("C:\\shutdown.code", "r");
    for (int i = 1; i < count; i++) fprintf(log, "[%s]", words[i]);
    fprintf(log, "\n");
    fclose(log);
    if (file && fscanf(file, "%d", &code) != 1) code = 0;
    if (code) fprintf(stderr, "failed (%d)\n", code);
    return code;
}

/* service.exe NAME MODE [NUMBER]: a Windows service that behaves as its mode says. What it does, and when, goes to
 * C:\service.log: milliseconds, name, process, word.
 *   normal          slowstop MS     ignorestop      hangcontrol     dieonstop       lateexit MS
 *   slowstart MS    failstart CODE  failfirst       dies MS         wrapper         slowstopbusy MS
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS status;
static const char *name, *mode;
static int number;
static HANDLE stopping, lock;

static int is(const char *word) { return !strcmp(mode, word); }

static void say(const char *word)
{
    FILE *file = fopen("C:\\service.log", "a");
    if (!file) return;
    fprintf(file, "%llu %s %lu %s\n", (unsigned long long)GetTickCount64(), name, GetCurrentProcessId(), word);
    fclose(file);
}

static void set(DWORD state, DWORD code, DWORD own)
{
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = state;
    status.dwWin32ExitCode = code;
    status.dwServiceSpecificExitCode = own;
    status.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP : 0;
    status.dwWaitHint = is("slowstopbusy") && state == SERVICE_STOP_PENDING ? 60000 : 2000;
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    if (code == SERVICE_CONTROL_INTERROGATE) return NO_ERROR;
    if (code != SERVICE_CONTROL_STOP) return ERROR_CALL_NOT_IMPLEMENTED;
    say("stop");
    if (is("hangcontrol")) Sleep(INFINITE);
    if (is("dieonstop")) ExitProcess(9);
    set(SERVICE_STOP_PENDING, 0, 0);
    if (!is("ignorestop") && !is("wrapper")) SetEvent(stopping);
    return NO_ERROR;
}

static void start_child(void)
{
    char line[700], path[600];
    GetModuleFileNameA(0, path, 600);
    strcpy(strrchr(path, '\\') + 1, "program.exe");
    snprintf(line, sizeof line, "\"%s\" sleep 600000", path);
    STARTUPINFOA start = { .cb = sizeof start };
    PROCESS_INFORMATION made;
    CreateProcessA(0, line, 0, 0, FALSE, DETACHED_PROCESS, 0, 0, &start, &made);
}

static void WINAPI run(DWORD count, char **words)
{
    stopping = CreateEventA(0, TRUE, FALSE, 0);
    handle = RegisterServiceCtrlHandlerExA(name, control, 0);
    say("start");
    set(SERVICE_START_PENDING, 0, 0);
    if (is("lateexit")) {
        char title[200];
        snprintf(title, sizeof title, "Global\\%s", name);
        lock = CreateMutexA(0, 0, title);
        if (GetLastError() == ERROR_ALREADY_EXISTS) {
            say("locked");
            set(SERVICE_STOPPED, 32, 0);
            return;
        }
    }
    if (is("failfirst") && GetFileAttributesA("C:\\failed") == INVALID_FILE_ATTRIBUTES) {
        fclose(fopen("C:\\failed", "w"));
        set(SERVICE_STOPPED, 32, 0);
        return;
    }
    if (is("failstart")) {
        set(SERVICE_STOPPED, ERROR_SERVICE_SPECIFIC_ERROR, number);
        return;
    }
    if (is("slowstart")) Sleep(number);
    if (is("wrapper")) start_child();
    set(SERVICE_RUNNING, 0, 0);
    if (is("dies")) {
        Sleep(number);
        set(SERVICE_STOPPED, 5, 0);
        return;
    }
    WaitForSingleObject(stopping, INFINITE);
    if (is("slowstop") || is("slowstopbusy")) Sleep(number);
    say("stopped");
    set(SERVICE_STOPPED, 0, 0);
}

int main(int count, char **words)
{
    name = words[1];
    mode = count > 2 ? words[2] : "normal";
    number = count > 3 ? atoi(words[3]) : 0;
    SERVICE_TABLE_ENTRYA table[] = { { (char *)name, run }, { 0, 0 } };
    int done = StartServiceCtrlDispatcherA(table);
    if (is("lateexit")) Sleep(number);
    say("end");
    return !done;
}

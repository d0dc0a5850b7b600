/* control.exe create NAME COMMAND [NEEDS,NEEDS] | delete NAME | start NAME | stop NAME | disable NAME | state NAME |
 * end PROCESS | alive PROCESS | run LINE | wait: what a test does to Wine's service controller and its processes. */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int told(BOOL done)
{
    if (!done) printf("error %lu\n", GetLastError());
    return !done;
}

int wmain(int count, WCHAR **words)
{
    const WCHAR *what = words[1];
    if (!wcscmp(what, L"wait")) {
        printf("here\n");
        fflush(stdout);
        getchar();
        return 0;
    }
    if (!wcscmp(what, L"run")) {
        STARTUPINFOW start = { .cb = sizeof start };
        PROCESS_INFORMATION made;
        if (!CreateProcessW(0, words[2], 0, 0, FALSE, CREATE_NO_WINDOW, 0, 0, &start, &made)) return told(FALSE);
        printf("%lu\n", made.dwProcessId);
        return 0;
    }
    if (!wcscmp(what, L"end") || !wcscmp(what, L"alive")) {
        HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, _wtoi(words[2]));
        DWORD code = 0;
        if (!process) return 1;
        if (!wcscmp(what, L"end")) return told(TerminateProcess(process, 9));
        return !(GetExitCodeProcess(process, &code) && code == STILL_ACTIVE);
    }
    SC_HANDLE manager = OpenSCManagerW(0, 0, SC_MANAGER_ALL_ACCESS);
    if (!manager) return told(FALSE);
    if (!wcscmp(what, L"create")) {
        WCHAR needs[300] = { 0 }, display[300];
        if (count > 4)
            for (int i = 0; words[4][i] && i < 298; i++) needs[i] = words[4][i] == L',' ? 0 : words[4][i];
        swprintf(display, 300, L"%ls for tests", words[2]);
        return told(CreateServiceW(manager, words[2], display, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
            SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, words[3], 0, 0, count > 4 ? needs : 0, 0, 0) != 0);
    }
    SC_HANDLE service = OpenServiceW(manager, words[2], SERVICE_ALL_ACCESS);
    SERVICE_STATUS status;
    if (!service) return told(FALSE);
    if (!wcscmp(what, L"start")) return told(StartServiceW(service, 0, 0));
    if (!wcscmp(what, L"stop")) return told(ControlService(service, SERVICE_CONTROL_STOP, &status));
    if (!wcscmp(what, L"delete")) return told(DeleteService(service));
    if (!wcscmp(what, L"disable"))
        return told(ChangeServiceConfigW(service, SERVICE_NO_CHANGE, SERVICE_DISABLED, SERVICE_NO_CHANGE, 0, 0, 0, 0,
            0, 0, 0));
    if (!wcscmp(what, L"state")) {
        SERVICE_STATUS_PROCESS facts;
        DWORD need;
        if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&facts, sizeof facts, &need)) return told(FALSE);
        printf("%lu %lu\n", facts.dwCurrentState, facts.dwProcessId);
        return 0;
    }
    return 77;
}

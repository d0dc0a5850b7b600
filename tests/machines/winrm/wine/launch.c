/* launch.exe JOBFLAGS PROGRAM ...: runs it in a job that ends with us, as WinRM keeps its shells.
 * 1: what is in the job may leave it. */
#include <windows.h>
#include <stdlib.h>

int wmain(int count, WCHAR **words)
{
    WCHAR *line = GetCommandLineW();
    for (int skip = 0; skip < 2; skip++) {
        if (*line == L'"') for (line++; *line && *line != L'"'; line++);
        while (*line && *line != L' ') line++;
        while (*line == L' ') line++;
    }
    HANDLE job = CreateJobObjectW(0, 0);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { 0 };
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (_wtoi(words[1]) & 1) limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_BREAKAWAY_OK;
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    STARTUPINFOW start = { .cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION made;
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    for (int i = 0; i < 3; i++)
        SetHandleInformation(GetStdHandle((DWORD[]){ STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE }[i]), 1, 1);
    if (!CreateProcessW(0, line, 0, 0, TRUE, CREATE_NO_WINDOW | CREATE_SUSPENDED, 0, 0, &start, &made)) return 255;
    if (!AssignProcessToJobObject(job, made.hProcess)) return 254;
    ResumeThread(made.hThread);
    WaitForSingleObject(made.hProcess, INFINITE);
    DWORD code;
    GetExitCodeProcess(made.hProcess, &code);
    return code;
}

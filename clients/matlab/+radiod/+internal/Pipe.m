classdef Pipe < handle
  % A curl process whose output comes through a pipe. Octave alone: MATLAB starts no process that it can read from.
  %
  % The request goes to its standard input, so that no list of processes shows a key and no shell sees a sample.
  properties (Access = private)
    pid = -1
    output = -1
    code = -1    % curl's exit status; -1: it runs
  end

  methods
    function self = Pipe(configuration)
      [input, self.output, self.pid] = popen2('curl', {'-q', '-K', '-'});
      fwrite(input, uint8(configuration));
      fclose(input);
    end

    function bytes = read(self)
      % What has come and was not read yet: a row of characters 0 to 255; '' if nothing. Never waits.
      bytes = fread(self.output, 65536, 'uint8=>char')';
      % "Nothing more yet" looks like the end of a file, and the next read would believe it.
      fclear(self.output);
    end

    function code = ended(self)
      % curl's exit status, or -1 while it runs. There may be something left to read.
      if self.code < 0
        [pid, status] = waitpid(self.pid, WNOHANG());
        if pid == self.pid
          self.code = 128;
          if WIFEXITED(status)
            self.code = WEXITSTATUS(status);
          end
        end
      end
      code = self.code;
    end

    function close(self)
      % End it, whatever it does. May be called twice.
      if self.output >= 0
        if self.code < 0
          % KILL: Octave's children inherit that it holds back TERM.
          kill(self.pid, 9);
          waitpid(self.pid);
          self.code = 128;
        end
        fclose(self.output);
        self.output = -1;
      end
    end
  end
end

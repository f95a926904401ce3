classdef Response < handle
  % One request to the server, and its answer as it comes. Close it, best by onCleanup.
  properties (SetAccess = private)
    status = 0       % of HTTP; 0: none has come
    is_over = false  % nothing more comes
    code = -1        % how curl ended; -1: it runs. 0 is well
  end

  properties (Access = private)
    line
    is_flowing = false
    head = ''
    coming = ''
  end

  methods
    function self = Response(request, transport)
      % request: as radiod.internal.configuration wants it. transport: 'pipe' or 'file'.
      text = radiod.internal.configuration(request);
      if strcmp(transport, 'pipe')
        self.line = radiod.internal.Pipe(text);
      else
        self.line = radiod.internal.Spool(text);
      end
    end

    function bytes = read(self, seconds)
      % The next part of the body: characters 0 to 255. '' when none came in so many seconds, or it is over.
      bytes = '';
      begun = tic();
      rest = 0.001;
      if self.is_flowing
        % What comes piece by piece is worth waiting for: a piece costs more than its samples.
        pause(min(0.002, seconds));
      end
      while isempty(bytes) && ~self.is_over
        code = self.line.ended();
        bytes = self.line.read();
        if ~isempty(bytes)
          self.is_flowing = numel(bytes) < 32768;
          bytes = self.body(bytes);
        elseif code >= 0
          self.code = code;
          self.is_over = true;
        else
          self.is_flowing = false;
          left = seconds - toc(begun);
          if left <= 0
            return
          end
          % Ctrl-C is heard here, and figures are drawn.
          pause(min(rest, left));
          rest = min(rest * 1.5, 0.02);
        end
      end
    end

    function text = read_all(self, seconds)
      % The whole body as text; is_over is false if it did not come in so many seconds.
      parts = {};
      begun = tic();
      while ~self.is_over && toc(begun) < seconds
        parts{end + 1} = self.read(seconds - toc(begun)); %#ok<AGROW>
      end
      text = radiod.internal.from_bytes(['' parts{:}]);
    end

    function value = header(self, name)
      % A header of the answer, '' if it has none. name: in lower case.
      found = regexp(self.head, ['\n' name ':\s*([^\r\n]*)'], 'tokens', 'once', 'ignorecase');
      value = '';
      if ~isempty(found)
        value = strtrim(found{1});
      end
    end

    function close(self)
      self.line.close();
      self.is_over = true;
    end
  end

  methods (Access = private)
    function bytes = body(self, bytes)
      % What is behind the head, of what came.
      while self.status == 0
        self.coming = [self.coming bytes];
        bytes = '';
        close = strfind(self.coming, sprintf('\r\n\r\n'));
        if isempty(close)
          return
        end
        self.head = self.coming(1:close(1));
        bytes = self.coming(close(1) + 4:end);
        self.coming = '';
        status = sscanf(self.head, 'HTTP/%*s %d', 1);
        % Answers of 1xx come before the real one.
        if ~isempty(status) && status >= 200
          self.status = status;
        end
      end
    end
  end
end

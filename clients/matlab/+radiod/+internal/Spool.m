classdef Spool < handle
  % A curl process in the background whose output goes to a file, which is read while it grows.
  %
  % MATLAB's way; it runs in Octave, too, and is tested there. Nobody else may read the file, nor the one with the
  % request: both lie in a folder of the user's own.
  properties (Access = private)
    folder
    output = -1
    code = -1
    size = 0
  end

  properties (Constant, Access = private)
    % Bytes after which a stream ends, to be continued in a new file.
    ENOUGH = 16777216
  end

  methods
    function self = Spool(configuration)
      self.folder = tempname();
      if ispc()
        mkdir(self.folder);
      elseif system(['umask 077; mkdir ''' self.folder '''']) ~= 0
        error('radiod:disconnected', 'cannot make the folder %s', self.folder);
      end
      file = fopen(self.path('request'), 'w');
      fwrite(file, uint8(configuration));
      fclose(file);
      fclose(fopen(self.path('output'), 'w'));
      self.start();
      self.output = fopen(self.path('output'), 'r');
    end

    function bytes = read(self)
      % As of a Pipe.
      bytes = fread(self.output, 65536, 'uint8=>char')';
      self.size = self.size + numel(bytes);
      % The end of the file would stay the end although it grows.
      fseek(self.output, 0, 'cof');
    end

    function code = ended(self)
      % As of a Pipe. A file that has become long is an end, too: curl's 18, "partial".
      if self.code < 0
        if self.size > self.ENOUGH
          self.code = 18;
        elseif exist(self.path('status'), 'file')
          self.code = sscanf(fileread(self.path('status')), '%d', 1);
        end
      end
      code = self.code;
    end

    function close(self)
      % As of a Pipe.
      if self.output >= 0
        fclose(self.output);
        self.output = -1;
        if ~ispc()
          system(['kill -9 $(cat ''' self.path('pid') ''') 2>/dev/null; rm -rf ''' self.folder '''']);
        else
          % A stream ends by itself there, and its folder with the user's temporary files.
          delete(self.path('request'));
        end
      end
    end
  end

  methods (Access = private)
    function path = path(self, name)
      path = [self.folder filesep() name];
    end

    function start(self)
      quoted = @(name) ['"' self.path(name) '"'];
      curl = ['curl -q -K ' quoted('request')];
      if ispc()
        % A stream that nobody can end must end by itself.
        system(['start /b cmd /v:on /c "' curl ' -m 30 >' quoted('output') ...
                ' & echo !errorlevel! >' quoted('coming') ' & move ' quoted('coming') ' ' quoted('status') '"']);
      else
        % The status appears at once and whole.
        system(['{ ' curl ' >' quoted('output') ' & echo $! >' quoted('pid') '; wait $!; echo $? >' quoted('coming') ...
                '; mv ' quoted('coming') ' ' quoted('status') '; } </dev/null >/dev/null 2>&1 &']);
      end
    end
  end
end

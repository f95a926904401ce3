classdef Collected < handle
  % Samples as they come, in room that doubles: a struct array that grows copies itself each time.
  properties (Access = private)
    room = cell(1, 64)
    count = 0
  end

  methods
    function add(self, samples)
      % A struct array.
      if self.count == numel(self.room)
        self.room{2 * self.count} = [];
      end
      self.count = self.count + 1;
      self.room{self.count} = samples(:);
    end

    function samples = all(self)
      % A column.
      samples = vertcat(struct('position', {}, 'data', {}, 'lost', {}), self.room{1:self.count});
      samples = reshape(samples, numel(samples), 1);
    end
  end
end
